// A field of a form, with its help and what the server says against it.

import { el, setText } from "./dom.js";

/**
 * @typedef {{ name: string, label: string, help: string, kind: "text" | "number" | "flag" | "lines" | "choice",
 *   attributes?: Record<string, string> }} Definition
 */

let fields = 0;

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

  /** What was typed, as JSON has it. A number that is none is left to the server to refuse. */
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

  /** Show what the server says against it; "" takes that back. */
  refuse(/** @type {string} */ sentence) {
    setText(this.#error, sentence);
    if (sentence) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }

  /** Show a word about it, with something to press. */
  note(/** @type {(Node | string)[]} */ ...parts) {
    this.#note.replaceChildren(...parts);
  }
}

/** Show a refusal beside the field that it names at its beginning. Whether there is one. */
export function refuseField(/** @type {Field[]} */ fields, /** @type {string} */ sentence) {
  const named = fields.find((field) => sentence.startsWith(`${field.definition.name} `) || sentence.startsWith(`${field.definition.name}:`));
  named?.refuse(sentence.replace(named.definition.name, named.definition.label));
  named?.input.focus();
  return named !== undefined;
}

/** @returns {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} */
function input(/** @type {Definition["kind"]} */ kind, /** @type {Record<string, string>} */ attributes) {
  if (kind === "lines") return /** @type {HTMLTextAreaElement} */ (el("textarea", { rows: "5", ...attributes }));
  if (kind === "choice") return /** @type {HTMLSelectElement} */ (el("select", attributes));
  const types = { text: "text", number: "text", flag: "checkbox" };
  // Not type="number": that hides from us what was typed, and turns with the mouse wheel.
  return /** @type {HTMLInputElement} */ (
    el("input", { type: types[kind], ...(kind === "number" ? { inputmode: "decimal" } : {}), autocomplete: "off", ...attributes })
  );
}
