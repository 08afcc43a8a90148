// The page's state. Elements watch topics; each topic is published at most once per animation frame.

/**
 * @typedef {"connecting" | "open" | "lost"} Connection
 * @typedef {import("./types.js").Entry} Entry
 */

const MAX_ENTRIES = 200;
const MAX_NOTICES = 3;
/** Milliseconds until a notice of success disappears; notices of errors stay until they are dismissed. */
const SUCCESS_DURATION = 10_000;

export class Store extends EventTarget {
  /** @type {Connection} */
  connection = "connecting";
  /** When the connection was lost, while it is. @type {Date | null} */
  lostAt = null;
  /** @type {import("./types.js").BotStatus | null} */
  bot = null;
  /** @type {import("./types.js").Metrics} */
  metrics = {};
  /** Sessions running here by id, the oldest first; null until they are known. @type {Map<string, import("./types.js").Session> | null} */
  running = null;
  /** @type {import("./types.js").Queue | null} */
  queue = null;
  /** When each service came into its status, for changes seen by this page. @type {Map<string, string>} */
  serviceSince = new Map();
  /** Newest first. @type {Entry[]} */
  entries = [];
  /** Notices to the user, oldest first. @type {import("./types.js").Notice[]} */
  notices = [];

  #lastId = 0;
  #pending = new Set();

  /** Call the watchers of a topic, once, in the next animation frame. */
  publish(/** @type {string} */ topic) {
    if (this.#pending.size === 0) requestAnimationFrame(() => this.#flush());
    this.#pending.add(topic);
  }

  /** Call now, and each time the topic is published, until the signal aborts. */
  watch(/** @type {string} */ topic, /** @type {() => void} */ draw, /** @type {AbortSignal} */ signal) {
    this.addEventListener(topic, draw, { signal });
    draw();
  }

  /** Add a line to the log of events. */
  addEntry(/** @type {Omit<Entry, "id">} */ entry) {
    this.entries = [{ id: ++this.#lastId, ...entry }, ...this.entries.slice(0, MAX_ENTRIES - 1)];
    this.publish("entries");
  }

  /** Show a notice to the user. A repeated text is shown once. */
  notify(/** @type {string} */ text, /** @type {"bad" | "good"} */ tone = "bad") {
    const others = this.notices.filter((notice) => notice.text !== text);
    const id = ++this.#lastId;
    this.notices = [...others, { id, text, tone }].slice(-MAX_NOTICES);
    this.publish("notices");
    if (tone === "good") setTimeout(() => this.dismiss(id), SUCCESS_DURATION);
  }

  /** Remove a notice. */
  dismiss(/** @type {number} */ id) {
    this.notices = this.notices.filter((notice) => notice.id !== id);
    this.publish("notices");
  }

  #flush() {
    const topics = [...this.#pending];
    this.#pending.clear();
    for (const topic of topics) this.dispatchEvent(new Event(topic));
  }
}

export const store = new Store();
