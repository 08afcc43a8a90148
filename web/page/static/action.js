// Buttons that ask the server for something.

import { sentence } from "./api.js";
import { el } from "./dom.js";
import { store } from "./store.js";

/**
 * A button that cannot be pressed again while its work goes on, and says what was refused.
 *
 * It is never `disabled`: that would take the focus from whoever works with the keyboard.
 *
 * @param {string} label
 * @param {() => Promise<unknown>} work
 * @param {Record<string, string>} [attributes]
 */
export function action(label, work, attributes = {}) {
  const press = async () => {
    if (button.ariaDisabled === "true" || button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    try {
      await work();
    } catch (error) {
      store.say(sentence(error));
    } finally {
      button.ariaBusy = null;
    }
  };
  const button = el("button", { type: "button", ...attributes, click: press }, label);
  return button;
}

/** Let a button be pressed, or say that it cannot be now. */
export function allow(/** @type {HTMLElement} */ button, /** @type {boolean} */ possible) {
  const disabled = possible ? null : "true";
  if (button.ariaDisabled !== disabled) button.ariaDisabled = disabled;
}
