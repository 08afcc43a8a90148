import { ask } from "./api.js";
import { allow } from "./action.js";
import { card, el, moment, setFacts, setState, setText, span } from "./dom.js";
import { loginTone, toneOf } from "./events.js";
import "./events-element.js";
import { LiveElement, eachSecond } from "./live-element.js";
import { reader } from "./reader.js";
import "./screenshots-element.js";
import { resetButton, resumeButton, stopButton } from "./session-actions.js";
import "./session-jobs-element.js";
import "./session-log-element.js";
import { store } from "./store.js";
import { drawCounters } from "./switch-element.js";

const PAUSE = 1000;

/** One session, on duty or past: how it stands, what it did, what it saw. */
class SessionElement extends LiveElement {
  /** As the record has it. @type {import("./types.js").Session | null} */
  #recorded = null;
  #state = el("span", { class: "state" });
  #login = el("span", { class: "state" });
  #commands = el("div", { class: "session-actions" });
  #facts = el("dl", { class: "facts" });
  #counters = el("dl", { class: "counters" });
  #message = el("p", { class: "notice" });
  #error = el("p", { class: "notice", "data-tone": "bad" });
  #read = reader(() => this.#readRecord(), PAUSE, (sentence) => setText(this.#error, sentence));

  live(/** @type {AbortSignal} */ signal) {
    const back = el("p", {}, el("a", { href: "#/sessions", class: "back" }, "All sessions"));
    if (!this.firstChild) this.append(back, this.#error);
    store.watch("session-news", this.#read, signal);
    store.watch("duty", () => this.#draw(), signal);
    eachSecond(() => this.#draw(), signal);
  }

  get #id() {
    return this.getAttribute("session") ?? "";
  }

  async #readRecord() {
    this.#recorded = await ask(`/api/sessions/${encodeURIComponent(this.#id)}`);
    this.#draw();
  }

  #build(/** @type {import("./types.js").Session} */ session) {
    const about = { session: session.id };
    this.#commands.append(stopButton(session), resumeButton(session), resetButton(session));
    this.append(
      card(session.session_name, el("div", { class: "session-head" }, this.#state, this.#login, this.#commands), this.#facts, this.#counters, this.#message),
      card("Live events", el("bv-events", about)),
      card("Screenshots", el("bv-screenshots", about)),
      card("Jobs decided", el("bv-session-jobs", about)),
      card("Log", el("bv-session-log", about)),
    );
  }

  #draw() {
    const session = store.duty?.get(this.#id) ?? this.#recorded;
    if (!session) return;
    if (!this.#commands.firstChild) this.#build(session);
    const onDuty = store.duty?.has(this.#id) ?? false;
    const [stop, resume, reset] = /** @type {HTMLElement[]} */ ([...this.#commands.children]);
    const wanted = onDuty || this.#recorded?.desired === "running";
    allow(stop, wanted);
    allow(resume, !wanted);
    allow(reset, true);
    // What was on duty when it was last read may be so no more.
    const status = onDuty || session.end_time === null ? session.status : "stopped";
    setState(this.#state, status, toneOf(status));
    setState(this.#login, `log-in ${session.login_status.replaceAll("_", " ")}`, loginTone(session.login_status));
    setText(this.#message, onDuty ? (session.message ?? "") : "");
    const began = session.start_time;
    setFacts(this.#facts, [
      ["portal", session.portal],
      ["engine", session.engine],
      ["began", began && moment(began)],
      ["up", onDuty && began ? span((Date.now() - Date.parse(began)) / 1000) : null],
      ["ended", session.end_time && moment(session.end_time)],
      ["owner", this.#recorded?.owner],
      ["id", session.id],
    ]);
    drawCounters(this.#counters, [session.total_checks, session.total_accepted, session.total_rejected]);
  }
}

customElements.define("bv-session", SessionElement);
