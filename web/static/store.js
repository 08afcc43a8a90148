// The one copy of what the page knows. Elements watch topics and are told once a frame.

/**
 * @typedef {"connecting" | "open" | "lost"} Connection
 * @typedef {{ id: string, path: string, kind: string, state: string, restarts: number,
 *   last_error: string | null, uptime_seconds: number | null,
 *   mailbox: { depth: number, capacity: number, high_water: number },
 *   backoff_until: string | null, detail: Record<string, unknown>, children: TreeNode[] }} TreeNode
 * @typedef {{ id: string, type: string, state: string, progress: number, attempts: number, max_attempts: number,
 *   error: string | null, group: string | null, owner: string | null, started_at: string | null,
 *   finished_at: string | null }} Task
 * @typedef {{ id: number, time: string, word: string, tone: string, text: string, more?: string }} Entry
 */

const MOST_ENTRIES = 200;

export class Store extends EventTarget {
  /** @type {Connection} */
  connection = "connecting";
  /** @type {Record<string, any> | null} */
  bot = null;
  /** @type {TreeNode | null} */
  tree = null;
  /** When the tree was read, by the page's clock. */
  treeAt = 0;
  treeError = "";
  /** @type {{ counts: Record<string, number>, paused: boolean, paused_types: string[] } | null} */
  queue = null;
  /** Those that run or have failed. @type {Task[]} */
  tasks = [];
  tasksError = "";
  /** @type {number | null} */
  cycle = null;
  /** Newest first. @type {Entry[]} */
  entries = [];

  #entry = 0;
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
    this.entries = [{ id: ++this.#entry, ...entry }, ...this.entries.slice(0, MOST_ENTRIES - 1)];
    this.touch("entries");
  }

  #flush() {
    const topics = [...this.#touched];
    this.#touched.clear();
    for (const topic of topics) this.dispatchEvent(new Event(topic));
  }
}

export const store = new Store();
