import { action } from "./action.js";
import { ask, order } from "./api.js";
import { card, el, keyed, moment, setState, setText } from "./dom.js";
import { taskTone } from "./events.js";
import { LiveElement } from "./live-element.js";
import { reader } from "./reader.js";
import { store } from "./store.js";

/** @typedef {import("./types.js").Task} Task */

const PAUSE = 1000;
const SHOWN = 25;
/** States in which a person may want to do something about a task. */
const OF_INTEREST = ["running", "failed", "dead"];

/** How many tasks there are in each state, and what can be done about those that run or have failed. */
class TasksElement extends LiveElement {
  /** @type {Task[]} */
  #tasks = [];
  #tallies = el("dl", { class: "tallies" });
  #list = el("ul", { class: "task-list", role: "list" });
  #empty = el("p", { class: "empty" }, "No task runs or has failed.");
  #held = el("p", { class: "notice" });
  #error = el("p", { class: "notice" });
  #hold = action("Hold queue", () => order(`/api/tasks/${store.queue?.paused ? "resume" : "pause"}`), { class: "small" });
  #read = reader(() => this.#readTasks(), PAUSE, (sentence) => setText(this.#error, sentence));

  live(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) {
      this.append(card("Tasks", el("div", { class: "tools" }, this.#hold), this.#tallies, this.#held, this.#error, this.#empty, this.#list));
    }
    store.watch("queue", () => this.#changed(), signal);
  }

  #changed() {
    this.#draw();
    if (store.queue) this.#read();
  }

  async #readTasks() {
    const states = OF_INTEREST.filter((state) => store.queue?.counts[state]);
    const pages = await Promise.all(states.map((state) => ask(`/api/tasks?state=${state}&limit=${SHOWN}`)));
    this.#tasks = pages.flatMap((page) => page.tasks);
    this.#draw();
  }

  #draw() {
    const queue = store.queue;
    setText(this.#hold, queue?.paused ? "Let queue go on" : "Hold queue");
    setText(this.#held, held(queue));
    keyed(this.#tallies, Object.entries(queue?.counts ?? {}), ([state]) => state, makeTally, updateTally);
    // What has ended since the tasks were read is not shown as if it went on.
    const tasks = this.#tasks.filter((task) => queue?.counts[task.state]);
    this.#empty.hidden = !queue || tasks.length > 0;
    keyed(this.#list, tasks, (task) => task.id, make, update);
  }
}

function make(/** @type {Task} */ task) {
  const reasons = el("ul", { class: "task-reasons", role: "list" });
  const named = `${task.type} ${task.id.slice(-8)}`;
  const explain = action("Explain", () => tell(task.id, explain, reasons), { class: "small", "aria-expanded": "false", "aria-label": `Explain ${named}` });
  const change = action("", () => order(`/api/tasks/${task.id}/${change.dataset.verb}`), { class: "small" });
  change.dataset.named = named;
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

/** Show why a task does not run now, or put that away. */
async function tell(/** @type {string} */ id, /** @type {HTMLElement} */ button, /** @type {HTMLElement} */ reasons) {
  const open = button.getAttribute("aria-expanded") === "true";
  const told = open ? { reasons: [] } : await ask(`/api/tasks/${id}/explain`);
  button.setAttribute("aria-expanded", String(!open));
  reasons.replaceChildren(...told.reasons.map((/** @type {{ text: string }} */ reason) => el("li", {}, reason.text)));
}

function held(/** @type {import("./types.js").Queue | null} */ queue) {
  if (queue?.paused) return "The queue is held: no task begins.";
  return queue?.paused_types.length ? `Held: ${queue.paused_types.join(", ")}` : "";
}

function makeTally(/** @type {[string, number]} */ [state]) {
  const badge = el("span", { class: "state" });
  setState(badge, state, taskTone(state));
  return el("div", {}, el("dt", {}, badge), el("dd", {}));
}

function updateTally(/** @type {HTMLElement} */ element, /** @type {[string, number]} */ [, count]) {
  setText(/** @type {Element} */ (element.lastElementChild), count.toLocaleString());
}

function update(/** @type {HTMLElement} */ element, /** @type {Task} */ task) {
  const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
  setState(part(".state"), task.state, taskTone(task.state));
  setText(part(".task-facts"), facts(task));
  setText(part(".task-error"), task.error ?? "");
  const change = /** @type {HTMLElement} */ (part(".task-actions").lastElementChild);
  const verb = task.state === "running" ? "cancel" : "retry";
  const word = verb === "cancel" ? "Cancel" : "Retry";
  change.dataset.verb = verb;
  setText(change, word);
  change.setAttribute("aria-label", `${word} ${change.dataset.named}`);
}

function facts(/** @type {Task} */ task) {
  const parts = [`attempt ${task.attempts} of ${task.max_attempts}`];
  if (task.group) parts.push(`group ${task.group}`);
  if (task.state === "running") parts.push(`${Math.round(task.progress)} %`);
  const when = task.state === "running" ? task.started_at : task.finished_at;
  if (when) parts.push(`since ${moment(when)}`);
  return parts.join(" · ");
}

customElements.define("bv-tasks", TasksElement);
