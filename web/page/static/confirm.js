// A question before something is done that cannot be taken back at once.

import { el } from "./dom.js";

/**
 * Ask, and answer whether to go on. The way back has the focus, so that a key held down does nothing.
 *
 * @param {{ title: string, text: string, yes: string, no?: string }} question
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, yes, no = "Cancel" }) {
  const dialog = /** @type {HTMLDialogElement} */ (
    el(
      "dialog",
      { class: "question", "aria-labelledby": "question-title", "aria-describedby": "question-text" },
      el("h2", { id: "question-title" }, title),
      el("p", { id: "question-text" }, text),
      el(
        "div",
        { class: "question-answers" },
        el("button", { type: "button", autofocus: true, click: () => dialog.close() }, no),
        el("button", { type: "button", class: "grave", click: () => dialog.close("yes") }, yes),
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
