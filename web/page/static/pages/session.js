import { setEnabled } from "../components/action.js";
import "../components/event-log.js";
import "../components/screenshots.js";
import { resetButton, resumeButton, stopButton } from "../components/session-actions.js";
import "../components/session-jobs.js";
import "../components/session-log.js";
import { drawCounters } from "../components/switch.js";
import { request } from "../core/api.js";
import { card, el, formatDuration, formatTime, setFacts, setState, setText } from "../core/dom.js";
import { loginTone, toneOf } from "../core/events.js";
import { LiveElement, eachSecond } from "../core/live-element.js";
import { reader } from "../core/reader.js";
import { store } from "../core/store.js";

const PAUSE = 1000;

/** One session, running or past: its state, jobs, screenshots and log. */
class SessionElement extends LiveElement {
  /** The session in the database. @type {import("../core/types.js").Session | null} */
  #stored = null;
  #state = el("span", { class: "state" });
  #login = el("span", { class: "state" });
  #commands = el("div", { class: "session-actions" });
  #facts = el("dl", { class: "facts" });
  #counters = el("dl", { class: "counters" });
  #message = el("p", { class: "notice" });
  #error = el("p", { class: "notice", "data-tone": "bad" });
  #read = reader(() => this.#readSession(), PAUSE, (text) => setText(this.#error, text));

  mount(/** @type {AbortSignal} */ signal) {
    const back = el("p", {}, el("a", { href: "#/sessions", class: "back" }, "All sessions"));
    if (!this.firstChild) this.append(back, this.#error);
    store.watch("sessions-changed", this.#read, signal);
    store.watch("running", () => this.#draw(), signal);
    eachSecond(() => this.#draw(), signal);
  }

  get #id() {
    return this.getAttribute("session") ?? "";
  }

  async #readSession() {
    this.#stored = await request(`/api/sessions/${encodeURIComponent(this.#id)}`);
    this.#draw();
  }

  #build(/** @type {import("../core/types.js").Session} */ session) {
    const attributes = { session: session.id };
    this.#commands.append(stopButton(session), resumeButton(session), resetButton(session));
    this.append(
      card(session.session_name, el("div", { class: "session-head" }, this.#state, this.#login, this.#commands), this.#facts, this.#counters, this.#message),
      card("Live events", el("bv-events", attributes)),
      card("Screenshots", el("bv-screenshots", attributes)),
      card("Jobs", el("bv-session-jobs", attributes)),
      card("Log", el("bv-session-log", attributes)),
    );
  }

  #draw() {
    const session = store.running?.get(this.#id) ?? this.#stored;
    if (!session) return;
    if (!this.#commands.firstChild) this.#build(session);
    const running = store.running?.has(this.#id) ?? false;
    const [stop, resume, reset] = /** @type {HTMLElement[]} */ ([...this.#commands.children]);
    const desired = running || this.#stored?.desired === "running";
    setEnabled(stop, desired);
    setEnabled(resume, !desired);
    setEnabled(reset, true);
    // The database may still have the status of a session that has stopped.
    const status = running || session.end_time === null ? session.status : "stopped";
    setState(this.#state, status, toneOf(status));
    setState(this.#login, `login ${session.login_status.replaceAll("_", " ")}`, loginTone(session.login_status));
    setText(this.#message, running ? (session.message ?? "") : "");
    const started = session.start_time;
    setFacts(this.#facts, [
      ["portal", session.portal],
      ["engine", session.engine],
      ["started", started && formatTime(started)],
      ["up", running && started ? formatDuration((Date.now() - Date.parse(started)) / 1000) : null],
      ["ended", session.end_time && formatTime(session.end_time)],
      ["owner", this.#stored?.owner],
      ["id", session.id],
    ]);
    drawCounters(this.#counters, [session.total_checks, session.total_accepted, session.total_rejected]);
  }
}

customElements.define("bv-session", SessionElement);
