// A form field with its label, its help, and the server's error for it.

import { el, setText } from "../core/dom.js";

/**
 * @typedef {{ name: string, label: string, help: string, kind: "text" | "number" | "flag" | "lines" | "choice",
 *   attributes?: Record<string, string> }} Definition
 */

let fields = 0;

/** One form field. */
export class Field {
  #error;
  #note;

  constructor(/** @type {Definition} */ definition) {
    const { name, label, help, kind, attributes = {} } = definition;
    const id = `field-${++fields}`;
    this.definition = definition;
    this.#error = el("p", { class: "field-error", id: `${id}-error` });
    this.#note = el("p", { class: "field-note", id: `${id}-note`, role: "status" });
    const about = { id, name, "aria-describedby": `${id}-help ${id}-error ${id}-note`, ...attributes };
    this.input = input(kind, about);
    const head = [el("label", { for: id }, label), this.input];
    this.element = el(
      "div",
      { class: `field ${kind}` },
      ...(kind === "flag" ? head.reverse() : head),
      el("p", { class: "field-help", id: `${id}-help` }, help),
      this.#error,
      this.#note,
    );
  }

  /** The value as JSON. An invalid number stays text, so that the server rejects it. */
  get value() {
    const { input } = this;
    switch (this.definition.kind) {
      case "flag":
        return /** @type {HTMLInputElement} */ (input).checked;
      case "number":
        return input.value.trim() === "" || Number.isNaN(Number(input.value)) ? input.value : Number(input.value);
      case "lines":
        return input.value.split("\n").map((line) => line.trim()).filter(Boolean);
      default:
        return input.value.trim();
    }
  }

  set value(value) {
    const { input } = this;
    if (typeof value === "boolean") /** @type {HTMLInputElement} */ (input).checked = value;
    else input.value = Array.isArray(value) ? value.join("\n") : String(value);
  }

  /** Show an error; "" removes it. */
  setError(/** @type {string} */ text) {
    setText(this.#error, text);
    if (text) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }

  /** Show a note, which may contain buttons; no arguments remove it. */
  setNote(/** @type {(Node | string)[]} */ ...parts) {
    this.#note.replaceChildren(...parts);
  }
}

/** Show an error at the field whose name it starts with, and return whether there is one. */
export function showFieldError(/** @type {Field[]} */ fields, /** @type {string} */ text) {
  const field = fields.find(({ definition: { name } }) => text.startsWith(`${name} `) || text.startsWith(`${name}:`));
  field?.setError(text.replace(field.definition.name, field.definition.label));
  field?.input.focus();
  return field !== undefined;
}

/** @returns {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} */
function input(/** @type {Definition["kind"]} */ kind, /** @type {Record<string, string>} */ attributes) {
  if (kind === "lines") return /** @type {HTMLTextAreaElement} */ (el("textarea", { rows: "5", ...attributes }));
  if (kind === "choice") return /** @type {HTMLSelectElement} */ (el("select", attributes));
  const types = { text: "text", number: "text", flag: "checkbox" };
  // Not type="number": it hides invalid input from scripts, and the mouse wheel changes it.
  return /** @type {HTMLInputElement} */ (
    el("input", { type: types[kind], ...(kind === "number" ? { inputmode: "decimal" } : {}), autocomplete: "off", ...attributes })
  );
}
