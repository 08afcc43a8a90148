import { ask } from "./api.js";
import { card, el, keyed, setText } from "./dom.js";
import { LiveElement, eachSecond } from "./live-element.js";
import { Pager } from "./pager.js";
import { reader } from "./reader.js";
import "./session-form-element.js";
import { DUTY_COLUMNS, PAST_COLUMNS, dutyRow, pastRow, updateDuty, updatePast } from "./session-rows.js";
import { store } from "./store.js";
import { table } from "./table.js";

/** @typedef {import("./types.js").Session} Session */

const PAUSE = 1000;
const PAGE = 50;

/** Every session: those on duty as they work, and those that are past. */
class SessionsElement extends LiveElement {
  #duty = table("Sessions on duty", DUTY_COLUMNS, "cards");
  #nobody = el("p", { class: "empty" }, "No session is on duty.");
  #dutyPages = new Pager("sessions on duty", PAGE, () => this.#drawDuty());
  #past = table("Past sessions", PAST_COLUMNS, "cards");
  #nothing = el("p", { class: "empty" }, "No session has ended yet.");
  #error = el("p", { class: "notice" });
  #pastPages = new Pager("past sessions", PAGE, () => this.#read());
  /** Wanted, but not on duty in this instance. @type {Session[]} */
  #elsewhere = [];
  #read = reader(() => this.#readRecord(), PAUSE, (sentence) => setText(this.#error, sentence));

  live(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) {
      this.append(
        card("On duty", this.#nobody, this.#duty.element, this.#dutyPages.element),
        card("Start another", el("bv-session-form")),
        card("Past", this.#error, this.#nothing, this.#past.element, this.#pastPages.element),
      );
    }
    store.watch("duty", () => this.#drawDuty(), signal);
    store.watch("session-news", this.#read, signal);
    eachSecond(() => this.#drawDuty(), signal);
  }

  async #readRecord() {
    const [wanted, past] = await Promise.all([
      ask("/api/sessions?desired=running&limit=200"),
      ask(`/api/sessions?desired=stopped&limit=${PAGE}&offset=${this.#pastPages.offset}`),
    ]);
    this.#elsewhere = wanted.sessions.filter((/** @type {Session} */ session) => session.desired === "running");
    this.#drawDuty();
    // One that is about to end is shown as it ends, above.
    const ended = past.sessions.filter((/** @type {Session} */ session) => session.desired === "stopped" && !store.duty?.has(session.id));
    this.#nothing.hidden = ended.length > 0;
    this.#past.element.hidden = ended.length === 0;
    this.#pastPages.show(past.sessions.length);
    keyed(this.#past.body, ended, (session) => session.id, pastRow, updatePast);
  }

  #drawDuty() {
    const duty = store.duty ?? new Map();
    const all = [...duty.values(), ...this.#elsewhere.filter((session) => !duty.has(session.id))];
    const pages = this.#dutyPages;
    if (pages.offset >= all.length) pages.offset = 0;
    const shown = all.slice(pages.offset, pages.offset + PAGE);
    pages.show(shown.length, all.length > pages.offset + PAGE);
    this.#nobody.hidden = all.length > 0;
    this.#duty.element.hidden = all.length === 0;
    keyed(this.#duty.body, shown, (session) => session.id, dutyRow, updateDuty);
  }
}

customElements.define("bv-sessions", SessionsElement);
