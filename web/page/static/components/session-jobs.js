import { request } from "../core/api.js";
import { el, formatTime, keyed, setState, setText } from "../core/dom.js";
import { jobTone } from "../core/events.js";
import { LiveElement } from "../core/live-element.js";
import { reader } from "../core/reader.js";
import { store } from "../core/store.js";
import { Pager } from "./pager.js";
import { row, table } from "./table.js";

/** @typedef {import("../core/types.js").Job} Job */

const PAUSE = 1000;
const PAGE = 20;
const COLUMNS = ["Job", "Decision", "Language", "Type", "Appointment", "Duration", "Reason", "When"];

/** The jobs that a session has processed, newest first. */
class SessionJobsElement extends LiveElement {
  #table = table("Jobs", COLUMNS, "flow");
  #empty = el("p", { class: "empty" }, "No jobs processed yet.");
  #error = el("p", { class: "notice" });
  #pages = new Pager("jobs", PAGE, () => this.#read());
  #read = reader(() => this.#readJobs(), PAUSE, (text) => setText(this.#error, text));

  mount(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(this.#error, this.#empty, this.#table.element, this.#pages.element);
    store.watch(`history:${this.getAttribute("session")}`, this.#read, signal);
  }

  async #readJobs() {
    const { offset } = this.#pages;
    /** @type {Job[]} */
    const jobs = await request(`/api/bot/jobs?session_id=${this.getAttribute("session")}&limit=${PAGE}&offset=${offset}`);
    this.#pages.show(jobs.length);
    this.#empty.hidden = jobs.length > 0 || offset > 0;
    this.#table.element.hidden = jobs.length === 0;
    keyed(this.#table.body, jobs, (job) => job.id, make, update);
  }
}

function make(/** @type {Job} */ job) {
  const appointment = [job.appointment_date, job.appointment_time?.slice(0, 5)].filter(Boolean).join(" ");
  const badge = el("span", { class: "state" });
  return row(COLUMNS, [job.job_ref, badge, job.language, job.job_type, appointment, job.duration, "", formatTime(job.created_at)]);
}

function update(/** @type {HTMLElement} */ element, /** @type {Job} */ job) {
  // The job was matched, and its outcome at the portal is not known yet.
  const label = job.status === "matched" ? "open" : job.status;
  setState(/** @type {HTMLElement} */ (element.querySelector(".state")), label, jobTone(job.status));
  setText(element.children[6], job.rejection_reason ?? "");
}

customElements.define("bv-session-jobs", SessionJobsElement);
