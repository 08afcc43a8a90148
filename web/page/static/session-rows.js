// One session as a row of a list.

import { resetButton, resumeButton, stopButton } from "./session-actions.js";
import { el, moment, setState, setText, span } from "./dom.js";
import { loginTone, toneOf } from "./events.js";
import { row } from "./table.js";

/** @typedef {import("./types.js").Session} Session */

export const DUTY_COLUMNS = ["Session", "State", "Log-in", "Checks", "Accepted", "Rejected", "Up", "Last message", "Commands"];
export const PAST_COLUMNS = ["Session", "State", "Began", "Ended", "Checks", "Accepted", "Rejected", "Commands"];

const badge = () => el("span", { class: "state" });

/** What leads to a session, and what it works with. */
function title(/** @type {Session} */ session) {
  const link = el("a", { href: `#/sessions/${session.id}`, class: "session-link" }, session.session_name);
  return el("div", {}, link, el("p", { class: "quiet small-text" }));
}

function setTitle(/** @type {Element} */ cell, /** @type {Session} */ session) {
  const { portal, engine, owner } = session;
  const with_ = engine ?? (owner ? `on ${owner}` : null);
  setText(/** @type {Element} */ (cell.querySelector("p")), [portal, with_].filter(Boolean).join(" · "));
}

function setCounters(/** @type {HTMLElement[]} */ cells, /** @type {Session} */ session) {
  const counters = [session.total_checks, session.total_accepted, session.total_rejected];
  counters.forEach((count, i) => setText(cells[i], count.toLocaleString()));
}

export function dutyRow(/** @type {Session} */ session) {
  const commands = el("div", { class: "commands" }, stopButton(session), resetButton(session));
  return row(DUTY_COLUMNS, [title(session), badge(), badge(), "", "", "", "", "", commands]);
}

export function updateDuty(/** @type {HTMLElement} */ element, /** @type {Session} */ session) {
  const cells = /** @type {HTMLElement[]} */ ([...element.children]);
  setTitle(cells[0], session);
  setState(/** @type {HTMLElement} */ (cells[1].firstChild), session.status, toneOf(session.status));
  setState(/** @type {HTMLElement} */ (cells[2].firstChild), session.login_status.replaceAll("_", " "), loginTone(session.login_status));
  setCounters(cells.slice(3), session);
  setText(cells[6], session.start_time ? span((Date.now() - Date.parse(session.start_time)) / 1000) : "");
  setText(cells[7], session.message ?? "");
}

export function pastRow(/** @type {Session} */ session) {
  const commands = el("div", { class: "commands" }, resumeButton(session));
  return row(PAST_COLUMNS, [title(session), badge(), "", "", "", "", "", commands]);
}

export function updatePast(/** @type {HTMLElement} */ element, /** @type {Session} */ session) {
  const cells = /** @type {HTMLElement[]} */ ([...element.children]);
  setTitle(cells[0], session);
  setState(/** @type {HTMLElement} */ (cells[1].firstChild), session.status, toneOf(session.status));
  setText(cells[2], session.start_time ? moment(session.start_time) : "");
  setText(cells[3], session.end_time ? moment(session.end_time) : "");
  setCounters(cells.slice(4), session);
}
