// The one copy of what the page knows. Elements watch topics and are told once a frame.

/**
 * @typedef {"connecting" | "open" | "lost"} Connection
 * @typedef {import("./types.js").Entry} Entry
 */

const MOST_ENTRIES = 200;
const MOST_NOTICES = 3;
/** Milliseconds for which good news is shown; bad news stays until it is put away. */
const GOOD_NEWS = 10_000;

export class Store extends EventTarget {
  /** @type {Connection} */
  connection = "connecting";
  /** Since when what is shown has not been told anew. @type {Date | null} */
  lostAt = null;
  /** @type {import("./types.js").BotStatus | null} */
  bot = null;
  /** @type {import("./types.js").Metrics} */
  metrics = {};
  /** Sessions on duty by their ids, the longest-serving first; null until somebody told. @type {Map<string, import("./types.js").Session> | null} */
  duty = null;
  /** @type {import("./types.js").Queue | null} */
  queue = null;
  /** Since when services are as they are, where that was seen to begin. @type {Map<string, string>} */
  serviceSince = new Map();
  /** Newest first. @type {Entry[]} */
  entries = [];
  /** What the reader has to be told, oldest first. @type {import("./types.js").Notice[]} */
  notices = [];

  #number = 0;
  #touched = new Set();

  /** Tell whoever watches the topic, once, with the next frame. */
  touch(/** @type {string} */ topic) {
    if (this.#touched.size === 0) requestAnimationFrame(() => this.#flush());
    this.#touched.add(topic);
  }

  /** Call now, and whenever the topic is touched, until the signal aborts. */
  watch(/** @type {string} */ topic, /** @type {() => void} */ draw, /** @type {AbortSignal} */ signal) {
    this.addEventListener(topic, draw, { signal });
    draw();
  }

  /** Add a line to the log of events. */
  note(/** @type {Omit<Entry, "id">} */ entry) {
    this.entries = [{ id: ++this.#number, ...entry }, ...this.entries.slice(0, MOST_ENTRIES - 1)];
    this.touch("entries");
  }

  /** Tell the reader something that is not to be missed. Said twice, it is shown once. */
  say(/** @type {string} */ text, /** @type {"bad" | "good"} */ tone = "bad") {
    const others = this.notices.filter((notice) => notice.text !== text);
    const id = ++this.#number;
    this.notices = [...others, { id, text, tone }].slice(-MOST_NOTICES);
    this.touch("notices");
    if (tone === "good") setTimeout(() => this.unsay(id), GOOD_NEWS);
  }

  unsay(/** @type {number} */ id) {
    this.notices = this.notices.filter((notice) => notice.id !== id);
    this.touch("notices");
  }

  #flush() {
    const topics = [...this.#touched];
    this.#touched.clear();
    for (const topic of topics) this.dispatchEvent(new Event(topic));
  }
}

export const store = new Store();
