import { action } from "../components/action.js";
import { request, send } from "../core/api.js";
import { card, el, formatTime, keyed, setState, setText } from "../core/dom.js";
import { taskTone } from "../core/events.js";
import { LiveElement } from "../core/live-element.js";
import { reader } from "../core/reader.js";
import { store } from "../core/store.js";

/** @typedef {import("../core/types.js").Task} Task */

const PAUSE = 1000;
const SHOWN = 25;
/** States of the tasks that the page lists. */
const LISTED_STATES = ["running", "failed", "dead"];

/** The number of tasks in each state, and the running and failed tasks with their commands. */
class TasksElement extends LiveElement {
  /** @type {Task[]} */
  #tasks = [];
  #counts = el("dl", { class: "counts" });
  #list = el("ul", { class: "task-list", role: "list" });
  #empty = el("p", { class: "empty" }, "No running or failed tasks.");
  #paused = el("p", { class: "notice" });
  #error = el("p", { class: "notice" });
  #pause = action("Pause", () => send(`/api/tasks/${store.queue?.paused ? "resume" : "pause"}`), { class: "small" });
  #read = reader(() => this.#readTasks(), PAUSE, (text) => setText(this.#error, text));

  mount(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) {
      this.append(card("Tasks", el("div", { class: "tools" }, this.#pause), this.#counts, this.#paused, this.#error, this.#empty, this.#list));
    }
    store.watch("queue", () => this.#changed(), signal);
  }

  #changed() {
    this.#draw();
    if (store.queue) this.#read();
  }

  async #readTasks() {
    const states = LISTED_STATES.filter((state) => store.queue?.counts[state]);
    const pages = await Promise.all(states.map((state) => request(`/api/tasks?state=${state}&limit=${SHOWN}`)));
    this.#tasks = pages.flatMap((page) => page.tasks);
    this.#draw();
  }

  #draw() {
    const queue = store.queue;
    setText(this.#pause, queue?.paused ? "Resume" : "Pause");
    setText(this.#paused, pausedText(queue));
    keyed(this.#counts, Object.entries(queue?.counts ?? {}), ([state]) => state, makeCount, updateCount);
    // Do not list tasks whose state has no tasks any more, until the list is read again.
    const tasks = this.#tasks.filter((task) => queue?.counts[task.state]);
    this.#empty.hidden = !queue || tasks.length > 0;
    keyed(this.#list, tasks, (task) => task.id, make, update);
  }
}

function make(/** @type {Task} */ task) {
  const reasons = el("ul", { class: "task-reasons", role: "list" });
  const name = `${task.type} ${task.id.slice(-8)}`;
  const explain = action("Explain", () => toggleReasons(task.id, explain, reasons), { class: "small", "aria-expanded": "false", "aria-label": `Explain ${name}` });
  const change = action("", () => send(`/api/tasks/${task.id}/${change.dataset.verb}`), { class: "small" });
  change.dataset.name = name;
  return el(
    "li",
    { class: "task" },
    el("span", { class: "state" }),
    el("span", { class: "task-name" }, task.type, " ", el("code", { class: "quiet", title: task.id }, task.id.slice(-8))),
    el("span", { class: "task-facts" }),
    el("div", { class: "task-actions" }, explain, change),
    el("p", { class: "task-error" }),
    reasons,
  );
}

/** Show or hide why a task does not run now. */
async function toggleReasons(/** @type {string} */ id, /** @type {HTMLElement} */ button, /** @type {HTMLElement} */ reasons) {
  const open = button.getAttribute("aria-expanded") === "true";
  const explanation = open ? { reasons: [] } : await request(`/api/tasks/${id}/explain`);
  button.setAttribute("aria-expanded", String(!open));
  reasons.replaceChildren(...explanation.reasons.map((/** @type {{ text: string }} */ reason) => el("li", {}, reason.text)));
}

function pausedText(/** @type {import("../core/types.js").Queue | null} */ queue) {
  if (queue?.paused) return "The queue is paused: no tasks start.";
  return queue?.paused_types.length ? `Paused: ${queue.paused_types.join(", ")}` : "";
}

function makeCount(/** @type {[string, number]} */ [state]) {
  const badge = el("span", { class: "state" });
  setState(badge, state, taskTone(state));
  return el("div", {}, el("dt", {}, badge), el("dd", {}));
}

function updateCount(/** @type {HTMLElement} */ element, /** @type {[string, number]} */ [, count]) {
  setText(/** @type {Element} */ (element.lastElementChild), count.toLocaleString());
}

function update(/** @type {HTMLElement} */ element, /** @type {Task} */ task) {
  const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
  setState(part(".state"), task.state, taskTone(task.state));
  setText(part(".task-facts"), facts(task));
  setText(part(".task-error"), task.error ?? "");
  const change = /** @type {HTMLElement} */ (part(".task-actions").lastElementChild);
  const verb = task.state === "running" ? "cancel" : "retry";
  const label = verb === "cancel" ? "Cancel" : "Retry";
  change.dataset.verb = verb;
  setText(change, label);
  change.setAttribute("aria-label", `${label} ${change.dataset.name}`);
}

function facts(/** @type {Task} */ task) {
  const parts = [`attempt ${task.attempts} of ${task.max_attempts}`];
  if (task.group) parts.push(`group ${task.group}`);
  if (task.state === "running") parts.push(`${Math.round(task.progress)} %`);
  const when = task.state === "running" ? task.started_at : task.finished_at;
  if (when) parts.push(`since ${formatTime(when)}`);
  return parts.join(" · ");
}

customElements.define("bv-tasks", TasksElement);
