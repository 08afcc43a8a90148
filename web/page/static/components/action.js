// Buttons that send a command to the server.

import { errorText } from "../core/api.js";
import { el } from "../core/dom.js";
import { store } from "../core/store.js";

/**
 * A button that runs a command, ignores presses while it runs, and shows an error as a notice.
 *
 * It is never `disabled`, because a disabled element loses the keyboard focus.
 *
 * @param {string} label
 * @param {() => Promise<unknown>} command
 * @param {Record<string, string>} [attributes]
 */
export function action(label, command, attributes = {}) {
  const press = async () => {
    if (button.ariaDisabled === "true" || button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    try {
      await command();
    } catch (error) {
      store.notify(errorText(error));
    } finally {
      button.ariaBusy = null;
    }
  };
  const button = el("button", { type: "button", ...attributes, click: press }, label);
  return button;
}

/** Enable or disable a button, without taking its focus. */
export function setEnabled(/** @type {HTMLElement} */ button, /** @type {boolean} */ enabled) {
  const disabled = enabled ? null : "true";
  if (button.ariaDisabled !== disabled) button.ariaDisabled = disabled;
}
