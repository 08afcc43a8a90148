import { clock, el, keyed } from "./dom.js";
import { store } from "./store.js";

/** What happens, newest first. A pause lets a reader read; what happens meanwhile is shown after it. */
class EventsElement extends HTMLElement {
  #abort = new AbortController();
  #paused = false;
  #log = el("ol", { class: "log", role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-labelledby": "events-title", tabindex: "0" });
  #empty = el("p", { class: "empty" }, "Nothing has happened since this page was opened.");
  #pause = el("button", { class: "small", type: "button", "aria-pressed": "false", click: () => this.#toggle() }, "Pause");

  connectedCallback() {
    this.#abort = new AbortController();
    this.replaceChildren(el("div", { class: "events-tools" }, this.#pause), this.#empty, this.#log);
    store.watch("entries", () => this.#draw(), this.#abort.signal);
  }

  disconnectedCallback() {
    this.#abort.abort();
  }

  #toggle() {
    this.#paused = !this.#paused;
    this.#pause.setAttribute("aria-pressed", String(this.#paused));
    this.#draw();
  }

  #draw() {
    if (this.#paused) return;
    this.#empty.hidden = store.entries.length > 0;
    this.#log.hidden = store.entries.length === 0;
    keyed(this.#log, store.entries, (entry) => String(entry.id), makeLine, () => {});
  }
}

function makeLine(/** @type {import("./store.js").Entry} */ entry) {
  return el(
    "li",
    {},
    el("time", { datetime: entry.time }, clock(entry.time)),
    el("span", { class: "state", "data-tone": entry.tone }, entry.word),
    el("span", { class: "text" }, entry.text),
    el("span", { class: "more" }, entry.more ?? ""),
  );
}

customElements.define("bv-events", EventsElement);
