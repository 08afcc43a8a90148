// What can be done with one session; a question comes first where it hurts.

import { action } from "./action.js";
import { order } from "./api.js";
import { confirmed } from "./confirm.js";
import { store } from "./store.js";

/** @typedef {{ id: string, session_name: string }} Named */

/** @returns {HTMLElement} */
export function stopButton(/** @type {Named} */ { id, session_name: name }) {
  const work = async () => {
    const text = `${name} ends after the look it is at. Jobs that come up meanwhile are left to others. It can be resumed.`;
    if (await confirmed({ title: "Stop this session?", text, yes: "Stop it" })) await change(id, "stop");
  };
  return action("Stop", work, { class: "small", "aria-label": `Stop ${name}` });
}

/** @returns {HTMLElement} */
export function resumeButton(/** @type {Named} */ { id, session_name: name }) {
  return action("Resume", () => change(id, "start"), { class: "small", "aria-label": `Resume ${name}` });
}

/** @returns {HTMLElement} */
export function resetButton(/** @type {Named} */ { id, session_name: name }) {
  const work = async () => {
    const text = `${name} ends at once, without finishing its look, and forgets its log-in at the portal.`;
    if (await confirmed({ title: "Reset this session?", text, yes: "Reset it" })) await change(id, "reset");
  };
  return action("Reset", work, { class: "small", "aria-label": `Reset ${name}` });
}

async function change(/** @type {string} */ id, /** @type {string} */ verb) {
  await order(`/api/sessions/${id}/${verb}`);
  // One that had ended already says nothing.
  store.touch("session-news");
}
