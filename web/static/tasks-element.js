import { ask } from "./api.js";
import { el, keyed, moment, setState, setText } from "./dom.js";
import { taskTone } from "./events.js";
import { store } from "./store.js";

/** How many tasks there are in each state, and what can be done about those that run or have failed. */
class TasksElement extends HTMLElement {
  #abort = new AbortController();
  #tallies = el("dl", { class: "tallies" });
  #list = el("ul", { class: "task-list" });
  #empty = el("p", { class: "empty" }, "No task runs or has failed.");
  #notice = el("p", { class: "notice" });
  #error = el("p", { class: "notice", role: "alert", "data-tone": "bad" });
  #hold = /** @type {HTMLButtonElement} */ (el("button", { class: "small", type: "button", click: () => this.#holdOrLetGo() }, "Hold queue"));

  connectedCallback() {
    this.#abort = new AbortController();
    this.replaceChildren(
      el("div", { class: "events-tools" }, this.#hold),
      this.#tallies,
      this.#notice,
      this.#error,
      this.#empty,
      this.#list,
    );
    store.watch("tasks", () => this.#draw(), this.#abort.signal);
  }

  disconnectedCallback() {
    this.#abort.abort();
  }

  #draw() {
    const queue = store.queue;
    this.#hold.disabled = !queue;
    setText(this.#hold, queue?.paused ? "Let queue go on" : "Hold queue");
    setText(this.#notice, held(queue) || store.tasksError);
    keyed(this.#tallies, Object.entries(queue?.counts ?? {}), ([state]) => state, makeTally, updateTally);
    // What has ended since the tasks were read is not shown as if it went on.
    const tasks = store.tasks.filter((task) => queue?.counts[task.state]);
    this.#empty.hidden = !queue || tasks.length > 0;
    keyed(this.#list, tasks, (task) => task.id, (task) => this.#make(task), update);
  }

  #make(/** @type {import("./store.js").Task} */ task) {
    const reasons = el("ul", { class: "task-reasons" });
    const named = `${task.type} ${task.id.slice(-8)}`;
    const explain = el("button", { class: "small", type: "button", "aria-expanded": "false", "aria-label": `Explain ${named}`, click: () => this.#explain(task.id, explain, reasons) }, "Explain");
    const change = el("button", { class: "small", type: "button", click: () => this.#change(task.id, change) });
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

  async #explain(/** @type {string} */ id, /** @type {HTMLElement} */ button, /** @type {HTMLElement} */ reasons) {
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    reasons.replaceChildren();
    if (open) return;
    await this.#try(async () => {
      const told = await ask(`/api/tasks/${id}/explain`);
      reasons.replaceChildren(...told.reasons.map((/** @type {{ text: string }} */ reason) => el("li", {}, reason.text)));
    });
  }

  #change(/** @type {string} */ id, /** @type {HTMLElement} */ button) {
    return this.#try(() => ask(`/api/tasks/${id}/${button.dataset.verb}`, { method: "POST" }));
  }

  #holdOrLetGo() {
    return this.#try(() => ask(`/api/tasks/${store.queue?.paused ? "resume" : "pause"}`, { method: "POST" }));
  }

  async #try(/** @type {() => Promise<unknown>} */ work) {
    this.#error.textContent = "";
    try {
      await work();
    } catch (error) {
      this.#error.textContent = error.message;
    }
  }
}

function held(/** @type {import("./store.js").Store["queue"]} */ queue) {
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

function update(/** @type {HTMLElement} */ element, /** @type {import("./store.js").Task} */ task) {
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

function facts(/** @type {import("./store.js").Task} */ task) {
  const parts = [`attempt ${task.attempts} of ${task.max_attempts}`];
  if (task.group) parts.push(`group ${task.group}`);
  if (task.state === "running") parts.push(`${Math.round(task.progress)} %`);
  const when = task.state === "running" ? task.started_at : task.finished_at;
  if (when) parts.push(`since ${moment(when)}`);
  return parts.join(" · ");
}

customElements.define("bv-tasks", TasksElement);
