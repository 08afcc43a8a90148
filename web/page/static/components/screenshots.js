import { request, send } from "../core/api.js";
import { el, formatTime, keyed, setText } from "../core/dom.js";
import { LiveElement } from "../core/live-element.js";
import { reader } from "../core/reader.js";
import { store } from "../core/store.js";
import { action, setEnabled } from "./action.js";
import { Pager } from "./pager.js";

/** @typedef {import("../core/types.js").Screenshot} Screenshot */

const PAUSE = 500;
const PAGE = 12;
const LIMIT = 1000;
const FINISHED = ["completed", "failed", "dead", "cancelled"];

/** The screenshots of a session, and a button to take one more. */
class ScreenshotsElement extends LiveElement {
  #list = el("ul", { class: "screenshots", role: "list" });
  #empty = el("p", { class: "empty" }, "This session has no screenshots.");
  #progress = el("p", { class: "quiet", role: "status" });
  #error = el("p", { class: "notice" });
  #button = action("Take one now", () => this.#takeScreenshot(), { class: "small" });
  /** The id of the screenshot task, until it has finished. @type {string | null} */
  #task = null;
  /** @type {Screenshot[]} */
  #all = [];
  #pages = new Pager("screenshots", PAGE, () => this.#draw());
  #read = reader(() => this.#readScreenshots(), PAUSE, (text) => setText(this.#error, text));
  #follow = reader(() => this.#readTask(), PAUSE, (text) => setText(this.#error, text));

  mount(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(el("div", { class: "tools" }, this.#progress, this.#button), this.#error, this.#empty, this.#list, this.#pages.element);
    const session = this.getAttribute("session") ?? "";
    store.watch("running", () => setEnabled(this.#button, store.running?.has(session) ?? false), signal);
    // Every screenshot is a task, so the queue's counts change with each one.
    store.watch("queue", () => this.#changed(), signal);
  }

  #changed() {
    if (this.#task) this.#follow();
    this.#read();
  }

  async #takeScreenshot() {
    const data = { session_id: this.getAttribute("session"), label: "page" };
    setText(this.#progress, "Taking a screenshot.");
    try {
      this.#task = (await send("/api/tasks", { type: "screenshot", priority: 10, data })).id;
    } catch (error) {
      setText(this.#progress, "");
      throw error;
    }
    await this.#follow();
  }

  async #readTask() {
    if (!this.#task) return;
    const task = await request(`/api/tasks/${this.#task}`);
    if (!FINISHED.includes(task.state)) return;
    this.#task = null;
    setText(this.#progress, task.state === "completed" ? "Screenshot taken." : "");
    this.#read();
    if (task.state !== "completed") store.notify(`Screenshot failed: ${task.error ?? `the task is ${task.state}`}.`);
  }

  async #readScreenshots() {
    this.#all = (await request(`/api/sessions/${this.getAttribute("session")}/screenshots?limit=${LIMIT}`)).screenshots;
    this.#draw();
  }

  #draw() {
    const { offset } = this.#pages;
    const shown = this.#all.slice(offset, offset + PAGE);
    this.#empty.hidden = this.#all.length > 0;
    this.#pages.show(shown.length, this.#all.length > offset + PAGE);
    keyed(this.#list, shown, (screenshot) => screenshot.name, make, () => {});
  }
}

function make(/** @type {Screenshot} */ screenshot) {
  const taken = formatTime(screenshot.taken_at);
  const image = el("img", { src: screenshot.path, alt: `Screenshot of ${taken}`, loading: "lazy", decoding: "async", width: "320", height: "200" });
  const link = el("a", { href: screenshot.path, target: "_blank", rel: "noopener" }, image);
  return el("li", {}, el("figure", {}, link, el("figcaption", { class: "quiet" }, `${taken} · ${Math.ceil(screenshot.bytes / 1024)} kB`)));
}

customElements.define("bv-screenshots", ScreenshotsElement);
