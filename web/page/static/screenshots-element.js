import { action, allow } from "./action.js";
import { ask, order } from "./api.js";
import { el, keyed, moment, setText } from "./dom.js";
import { LiveElement } from "./live-element.js";
import { Pager } from "./pager.js";
import { reader } from "./reader.js";
import { store } from "./store.js";

/** @typedef {import("./types.js").Screenshot} Screenshot */

const PAUSE = 500;
const PAGE = 12;
const MOST = 1000;
const ENDED = ["completed", "failed", "dead", "cancelled"];

/** The pictures that a session took, and a button for one more. */
class ScreenshotsElement extends LiveElement {
  #list = el("ul", { class: "pictures", role: "list" });
  #empty = el("p", { class: "empty" }, "There is no screenshot of this session.");
  #progress = el("p", { class: "quiet", role: "status" });
  #error = el("p", { class: "notice" });
  #take = action("Take one now", () => this.#order(), { class: "small" });
  /** The task that takes a picture, while it is not done. @type {string | null} */
  #awaited = null;
  /** @type {Screenshot[]} */
  #all = [];
  #pages = new Pager("screenshots", PAGE, () => this.#draw());
  #read = reader(() => this.#readAlbum(), PAUSE, (sentence) => setText(this.#error, sentence));
  #follow = reader(() => this.#askTask(), PAUSE, (sentence) => setText(this.#error, sentence));

  live(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(el("div", { class: "tools" }, this.#progress, this.#take), this.#error, this.#empty, this.#list, this.#pages.element);
    const session = this.getAttribute("session") ?? "";
    store.watch("duty", () => allow(this.#take, store.duty?.has(session) ?? false), signal);
    // Every screenshot is a task, and what becomes of tasks is told by the queue's counts.
    store.watch("queue", () => this.#changed(), signal);
  }

  #changed() {
    if (this.#awaited) this.#follow();
    this.#read();
  }

  async #order() {
    const data = { session_id: this.getAttribute("session"), label: "page" };
    setText(this.#progress, "A screenshot is being taken.");
    try {
      this.#awaited = (await order("/api/tasks", { type: "screenshot", priority: 10, data })).id;
    } catch (error) {
      setText(this.#progress, "");
      throw error;
    }
    await this.#follow();
  }

  async #askTask() {
    if (!this.#awaited) return;
    const task = await ask(`/api/tasks/${this.#awaited}`);
    if (!ENDED.includes(task.state)) return;
    this.#awaited = null;
    setText(this.#progress, task.state === "completed" ? "The screenshot was taken." : "");
    this.#read();
    if (task.state !== "completed") store.say(`No screenshot was taken: ${task.error ?? `the task is ${task.state}`}.`);
  }

  async #readAlbum() {
    this.#all = (await ask(`/api/sessions/${this.getAttribute("session")}/screenshots?limit=${MOST}`)).screenshots;
    this.#draw();
  }

  #draw() {
    const { offset } = this.#pages;
    const shown = this.#all.slice(offset, offset + PAGE);
    this.#empty.hidden = this.#all.length > 0;
    this.#pages.show(shown.length, this.#all.length > offset + PAGE);
    keyed(this.#list, shown, (picture) => picture.name, make, () => {});
  }
}

function make(/** @type {Screenshot} */ picture) {
  const taken = moment(picture.taken_at);
  const image = el("img", { src: picture.path, alt: `Screenshot of ${taken}`, loading: "lazy", decoding: "async", width: "320", height: "200" });
  const link = el("a", { href: picture.path, target: "_blank", rel: "noopener" }, image);
  return el("li", {}, el("figure", {}, link, el("figcaption", { class: "quiet" }, `${taken} · ${Math.ceil(picture.bytes / 1024)} kB`)));
}

customElements.define("bv-screenshots", ScreenshotsElement);
