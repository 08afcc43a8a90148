import { ask } from "./api.js";
import { el, keyed, moment, setState, setText } from "./dom.js";
import { jobTone } from "./events.js";
import { LiveElement } from "./live-element.js";
import { Pager } from "./pager.js";
import { reader } from "./reader.js";
import { store } from "./store.js";
import { row, table } from "./table.js";

/** @typedef {import("./types.js").Job} Job */

const PAUSE = 1000;
const PAGE = 20;
const COLUMNS = ["Job", "Decision", "Language", "Type", "Appointment", "Length", "Reason", "When"];

/** The jobs that a session decided on, newest first. */
class SessionJobsElement extends LiveElement {
  #table = table("Jobs decided", COLUMNS, "flow");
  #empty = el("p", { class: "empty" }, "It has not decided on a job yet.");
  #error = el("p", { class: "notice" });
  #pages = new Pager("jobs", PAGE, () => this.#read());
  #read = reader(() => this.#readRecord(), PAUSE, (sentence) => setText(this.#error, sentence));

  live(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(this.#error, this.#empty, this.#table.element, this.#pages.element);
    store.watch(`record:${this.getAttribute("session")}`, this.#read, signal);
  }

  async #readRecord() {
    const { offset } = this.#pages;
    /** @type {Job[]} */
    const jobs = await ask(`/api/bot/jobs?session_id=${this.getAttribute("session")}&limit=${PAGE}&offset=${offset}`);
    this.#pages.show(jobs.length);
    this.#empty.hidden = jobs.length > 0 || offset > 0;
    this.#table.element.hidden = jobs.length === 0;
    keyed(this.#table.body, jobs, (job) => job.id, make, update);
  }
}

function make(/** @type {Job} */ job) {
  const appointment = [job.appointment_date, job.appointment_time?.slice(0, 5)].filter(Boolean).join(" ");
  const badge = el("span", { class: "state" });
  return row(COLUMNS, [job.job_ref, badge, job.language, job.job_type, appointment, job.duration, "", moment(job.created_at)]);
}

function update(/** @type {HTMLElement} */ element, /** @type {Job} */ job) {
  // It was decided and the portal has not answered yet, or nobody heard its answer.
  const word = job.status === "matched" ? "open" : job.status;
  setState(/** @type {HTMLElement} */ (element.querySelector(".state")), word, jobTone(job.status));
  setText(element.children[6], job.rejection_reason ?? "");
}

customElements.define("bv-session-jobs", SessionJobsElement);
