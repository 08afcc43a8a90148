import { request } from "../core/api.js";
import { el, formatTime, keyed, setText } from "../core/dom.js";
import { LiveElement } from "../core/live-element.js";
import { reader } from "../core/reader.js";
import { store } from "../core/store.js";

/** @typedef {import("../core/types.js").LogLine} LogLine */

const PAUSE = 1000;
const LINES = 100;
/** @type {Record<string, string>} */
const TONES = { warning: "wait", error: "bad", critical: "bad" };

/** The log lines and events of a session, newest first. */
class SessionLogElement extends LiveElement {
  #log = el("ol", { class: "log", tabindex: "0", "aria-label": "Log" });
  #empty = el("p", { class: "empty" }, "No log lines or events yet.");
  #error = el("p", { class: "notice" });
  #read = reader(() => this.#readLog(), PAUSE, (text) => setText(this.#error, text));

  mount(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(this.#error, this.#empty, this.#log);
    store.watch(`history:${this.getAttribute("session")}`, this.#read, signal);
  }

  async #readLog() {
    /** @type {{ logs: LogLine[] }} */
    const { logs } = await request(`/api/sessions/${this.getAttribute("session")}/logs?limit=${LINES}`);
    this.#empty.hidden = logs.length > 0;
    this.#log.hidden = logs.length === 0;
    keyed(this.#log, logs, (line) => `${line.timestamp} ${line.kind} ${line.message} ${JSON.stringify(line.data)}`, make, () => {});
  }
}

function make(/** @type {LogLine} */ line) {
  const text = line.kind === "event" ? line.message.replaceAll("_", " ") : line.message;
  const data = Object.entries(line.data).filter(([, value]) => value !== null && value !== "");
  return el(
    "li",
    {},
    el("time", { datetime: line.timestamp }, formatTime(line.timestamp)),
    el("span", { class: "state", "data-tone": TONES[line.level] ?? "calm" }, line.kind === "event" ? "event" : line.level),
    el("span", { class: "text" }, text),
    el("span", { class: "more" }, data.map(([key, value]) => `${key.replaceAll("_", " ")}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join(" · ")),
  );
}

customElements.define("bv-session-log", SessionLogElement);
