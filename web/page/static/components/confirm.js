// A confirmation dialog, shown before a command that cannot be undone at once.

import { el } from "../core/dom.js";

/**
 * Show a question and return whether the user agreed. Cancel has the focus, so that a key held down changes nothing.
 *
 * @param {{ title: string, text: string, yes: string, no?: string }} question
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, yes, no = "Cancel" }) {
  const dialog = /** @type {HTMLDialogElement} */ (
    el(
      "dialog",
      { class: "confirm", "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text" },
      el("h2", { id: "confirm-title" }, title),
      el("p", { id: "confirm-text" }, text),
      el(
        "div",
        { class: "confirm-answers" },
        el("button", { type: "button", autofocus: true, click: () => dialog.close() }, no),
        el("button", { type: "button", class: "danger", click: () => dialog.close("yes") }, yes),
      ),
    )
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
