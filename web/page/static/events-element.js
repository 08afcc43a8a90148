import { clock, el, keyed, setText } from "./dom.js";
import { LiveElement } from "./live-element.js";
import { store } from "./store.js";

/** @typedef {import("./types.js").Entry} Entry */

/** What happens, newest first: all of it, or that of one session. A pause lets a reader read; what happens meanwhile is shown after it. */
class EventsElement extends LiveElement {
  #paused = false;
  #log = el("ol", { class: "log", role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": "Live events", tabindex: "0" });
  #empty = el("p", { class: "empty" }, "Nothing has happened since this page was opened.");
  #pause = el("button", { class: "small", type: "button", "aria-pressed": "false", click: () => this.#toggle() }, "Pause");

  live(/** @type {AbortSignal} */ signal) {
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
  // Where several work it matters who did it.
  const several = named && (store.duty?.size ?? 0) > 1;
  const who = several && entry.session ? store.duty?.get(entry.session)?.session_name : null;
  return el(
    "li",
    {},
    el("time", { datetime: entry.time }, clock(entry.time)),
    el("span", { class: "state", "data-tone": entry.tone }, entry.word),
    el("span", { class: "text" }, entry.text),
    el("span", { class: "more" }, [entry.more, who].filter(Boolean).join(" · ")),
  );
}

customElements.define("bv-events", EventsElement);
