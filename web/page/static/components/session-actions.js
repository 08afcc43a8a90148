// The commands of one session, as buttons. Stop and reset ask for confirmation.

import { send } from "../core/api.js";
import { store } from "../core/store.js";
import { action } from "./action.js";
import { confirmed } from "./confirm.js";

/** @typedef {{ id: string, session_name: string }} Named */

/** @returns {HTMLElement} */
export function stopButton(/** @type {Named} */ { id, session_name: name }) {
  const command = async () => {
    const text = `${name} stops after its current check and takes no more jobs. You can resume it later.`;
    if (await confirmed({ title: "Stop this session?", text, yes: "Stop it" })) await change(id, "stop");
  };
  return action("Stop", command, { class: "small", "aria-label": `Stop ${name}` });
}

/** @returns {HTMLElement} */
export function resumeButton(/** @type {Named} */ { id, session_name: name }) {
  return action("Resume", () => change(id, "start"), { class: "small", "aria-label": `Resume ${name}` });
}

/** @returns {HTMLElement} */
export function resetButton(/** @type {Named} */ { id, session_name: name }) {
  const command = async () => {
    const text = `${name} stops at once, without finishing its current check, and its saved login is deleted.`;
    if (await confirmed({ title: "Reset this session?", text, yes: "Reset it" })) await change(id, "reset");
  };
  return action("Reset", command, { class: "small", "aria-label": `Reset ${name}` });
}

async function change(/** @type {string} */ id, /** @type {string} */ verb) {
  await send(`/api/sessions/${id}/${verb}`);
  // A session that has stopped already sends no event.
  store.publish("sessions-changed");
}
