import { el, formatClock, keyed, setText } from "../core/dom.js";
import { LiveElement } from "../core/live-element.js";
import { store } from "../core/store.js";

/** @typedef {import("../core/types.js").Entry} Entry */

/** The live events, newest first: all of them, or those of one session. While paused, new events wait. */
class EventsElement extends LiveElement {
  #paused = false;
  #log = el("ol", { class: "log", role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": "Live events", tabindex: "0" });
  #empty = el("p", { class: "empty" }, "No events since this page was opened.");
  #pause = el("button", { class: "small", type: "button", "aria-pressed": "false", click: () => this.#toggle() }, "Pause");

  mount(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(el("div", { class: "tools" }, this.#pause), this.#empty, this.#log);
    store.watch("entries", () => this.#draw(), signal);
  }

  #toggle() {
    this.#paused = !this.#paused;
    this.#pause.setAttribute("aria-pressed", String(this.#paused));
    setText(this.#pause, this.#paused ? "Paused" : "Pause");
    this.#draw();
  }

  #draw() {
    if (this.#paused) return;
    const session = this.getAttribute("session");
    const entries = session ? store.entries.filter((entry) => entry.session === session) : store.entries;
    this.#empty.hidden = entries.length > 0;
    this.#log.hidden = entries.length === 0;
    keyed(this.#log, entries, (entry) => String(entry.id), (entry) => makeLine(entry, !session), () => {});
  }
}

function makeLine(/** @type {Entry} */ entry, /** @type {boolean} */ named) {
  // With several sessions, each line names its session.
  const several = named && (store.running?.size ?? 0) > 1;
  const name = several && entry.session ? store.running?.get(entry.session)?.session_name : null;
  return el(
    "li",
    {},
    el("time", { datetime: entry.time }, formatClock(entry.time)),
    el("span", { class: "state", "data-tone": entry.tone }, entry.label),
    el("span", { class: "text" }, entry.text),
    el("span", { class: "more" }, [entry.more, name].filter(Boolean).join(" · ")),
  );
}

customElements.define("bv-events", EventsElement);
