import { Pager } from "../components/pager.js";
import { resetButton, resumeButton, stopButton } from "../components/session-actions.js";
import "../components/session-form.js";
import { row, table } from "../components/table.js";
import { request } from "../core/api.js";
import { card, el, formatDuration, formatTime, keyed, setState, setText } from "../core/dom.js";
import { loginTone, toneOf } from "../core/events.js";
import { LiveElement, eachSecond } from "../core/live-element.js";
import { reader } from "../core/reader.js";
import { store } from "../core/store.js";

/** @typedef {import("../core/types.js").Session} Session */

const PAUSE = 1000;
const PAGE = 50;
const RUNNING_COLUMNS = ["Session", "State", "Login", "Checks", "Accepted", "Rejected", "Up", "Last message", "Commands"];
const PAST_COLUMNS = ["Session", "State", "Started", "Ended", "Checks", "Accepted", "Rejected", "Commands"];

/** All sessions: those that run or should run, and past ones. */
class SessionsElement extends LiveElement {
  #running = table("Running sessions", RUNNING_COLUMNS, "cards");
  #noneRunning = el("p", { class: "empty" }, "No sessions are running.");
  #runningPages = new Pager("running sessions", PAGE, () => this.#drawRunning());
  #past = table("Past sessions", PAST_COLUMNS, "cards");
  #nonePast = el("p", { class: "empty" }, "No past sessions.");
  #error = el("p", { class: "notice" });
  #pastPages = new Pager("past sessions", PAGE, () => this.#read());
  /** Sessions that should run, as the database lists them; some run on other instances. @type {Session[]} */
  #desired = [];
  #read = reader(() => this.#readSessions(), PAUSE, (text) => setText(this.#error, text));

  mount(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) {
      this.append(
        card("Running", this.#noneRunning, this.#running.element, this.#runningPages.element),
        card("Start a session", el("bv-session-form")),
        card("Past", this.#error, this.#nonePast, this.#past.element, this.#pastPages.element),
      );
    }
    store.watch("running", () => this.#drawRunning(), signal);
    store.watch("sessions-changed", this.#read, signal);
    eachSecond(() => this.#drawRunning(), signal);
  }

  async #readSessions() {
    const [desired, past] = await Promise.all([
      request("/api/sessions?desired=running&limit=200"),
      request(`/api/sessions?desired=stopped&limit=${PAGE}&offset=${this.#pastPages.offset}`),
    ]);
    this.#desired = desired.sessions.filter((/** @type {Session} */ session) => session.desired === "running");
    this.#drawRunning();
    // A session that is still stopping is in the table above.
    const ended = past.sessions.filter((/** @type {Session} */ session) => session.desired === "stopped" && !store.running?.has(session.id));
    this.#nonePast.hidden = ended.length > 0;
    this.#past.element.hidden = ended.length === 0;
    this.#pastPages.show(past.sessions.length);
    keyed(this.#past.body, ended, (session) => session.id, pastRow, updatePast);
  }

  #drawRunning() {
    const running = store.running ?? new Map();
    const all = [...running.values(), ...this.#desired.filter((session) => !running.has(session.id))];
    const pages = this.#runningPages;
    if (pages.offset >= all.length) pages.offset = 0;
    const shown = all.slice(pages.offset, pages.offset + PAGE);
    pages.show(shown.length, all.length > pages.offset + PAGE);
    this.#noneRunning.hidden = all.length > 0;
    this.#running.element.hidden = all.length === 0;
    keyed(this.#running.body, shown, (session) => session.id, runningRow, updateRunning);
  }
}

const badge = () => el("span", { class: "state" });

/** The first cell of a row: a link to the session, its portal, and its engine or owner. */
function title(/** @type {Session} */ session) {
  const link = el("a", { href: `#/sessions/${session.id}`, class: "session-link" }, session.session_name);
  return el("div", {}, link, el("p", { class: "quiet small-text" }));
}

function setTitle(/** @type {Element} */ cell, /** @type {Session} */ session) {
  const { portal, engine, owner } = session;
  const location = engine ?? (owner ? `on ${owner}` : null);
  setText(/** @type {Element} */ (cell.querySelector("p")), [portal, location].filter(Boolean).join(" · "));
}

function setCounters(/** @type {HTMLElement[]} */ cells, /** @type {Session} */ session) {
  const counters = [session.total_checks, session.total_accepted, session.total_rejected];
  counters.forEach((count, i) => setText(cells[i], count.toLocaleString()));
}

function runningRow(/** @type {Session} */ session) {
  const commands = el("div", { class: "commands" }, stopButton(session), resetButton(session));
  return row(RUNNING_COLUMNS, [title(session), badge(), badge(), "", "", "", "", "", commands]);
}

function updateRunning(/** @type {HTMLElement} */ element, /** @type {Session} */ session) {
  const cells = /** @type {HTMLElement[]} */ ([...element.children]);
  setTitle(cells[0], session);
  setState(/** @type {HTMLElement} */ (cells[1].firstChild), session.status, toneOf(session.status));
  setState(/** @type {HTMLElement} */ (cells[2].firstChild), session.login_status.replaceAll("_", " "), loginTone(session.login_status));
  setCounters(cells.slice(3), session);
  setText(cells[6], session.start_time ? formatDuration((Date.now() - Date.parse(session.start_time)) / 1000) : "");
  setText(cells[7], session.message ?? "");
}

function pastRow(/** @type {Session} */ session) {
  const commands = el("div", { class: "commands" }, resumeButton(session));
  return row(PAST_COLUMNS, [title(session), badge(), "", "", "", "", "", commands]);
}

function updatePast(/** @type {HTMLElement} */ element, /** @type {Session} */ session) {
  const cells = /** @type {HTMLElement[]} */ ([...element.children]);
  setTitle(cells[0], session);
  setState(/** @type {HTMLElement} */ (cells[1].firstChild), session.status, toneOf(session.status));
  setText(cells[2], session.start_time ? formatTime(session.start_time) : "");
  setText(cells[3], session.end_time ? formatTime(session.end_time) : "");
  setCounters(cells.slice(4), session);
}

customElements.define("bv-sessions", SessionsElement);
