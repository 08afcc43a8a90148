import { ask } from "./api.js";
import { el, keyed, moment, setText } from "./dom.js";
import { LiveElement } from "./live-element.js";
import { reader } from "./reader.js";
import { store } from "./store.js";

/** @typedef {import("./types.js").LogLine} LogLine */

const PAUSE = 1000;
const LINES = 100;
/** @type {Record<string, string>} */
const TONES = { warning: "wait", error: "bad", critical: "bad" };

/** What a session has on record: lines for people, and facts, newest first. */
class SessionLogElement extends LiveElement {
  #log = el("ol", { class: "log", tabindex: "0", "aria-label": "Log" });
  #empty = el("p", { class: "empty" }, "Nothing is on record.");
  #error = el("p", { class: "notice" });
  #read = reader(() => this.#readRecord(), PAUSE, (sentence) => setText(this.#error, sentence));

  live(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(this.#error, this.#empty, this.#log);
    store.watch(`record:${this.getAttribute("session")}`, this.#read, signal);
  }

  async #readRecord() {
    /** @type {{ logs: LogLine[] }} */
    const { logs } = await ask(`/api/sessions/${this.getAttribute("session")}/logs?limit=${LINES}`);
    this.#empty.hidden = logs.length > 0;
    this.#log.hidden = logs.length === 0;
    keyed(this.#log, logs, (line) => `${line.timestamp} ${line.kind} ${line.message} ${JSON.stringify(line.data)}`, make, () => {});
  }
}

function make(/** @type {LogLine} */ line) {
  const said = line.kind === "event" ? line.message.replaceAll("_", " ") : line.message;
  const data = Object.entries(line.data).filter(([, value]) => value !== null && value !== "");
  return el(
    "li",
    {},
    el("time", { datetime: line.timestamp }, moment(line.timestamp)),
    el("span", { class: "state", "data-tone": TONES[line.level] ?? "calm" }, line.kind === "event" ? "event" : line.level),
    el("span", { class: "text" }, said),
    el("span", { class: "more" }, data.map(([key, value]) => `${key.replaceAll("_", " ")}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join(" · ")),
  );
}

customElements.define("bv-session-log", SessionLogElement);
