// Shows a long list one page at a time.

import { el, setText } from "../core/dom.js";
import { setEnabled } from "./action.js";

/** Buttons to the newer and older pages of a list. */
export class Pager {
  /** Index of the first item on the current page. */
  offset = 0;
  #size;
  #onChange;
  #range = el("span", { class: "quiet" });
  #newer = el("button", { class: "small", type: "button", click: () => this.#turn(this.#newer, -1) }, "Newer");
  #older = el("button", { class: "small", type: "button", click: () => this.#turn(this.#older, 1) }, "Older");
  element;

  /**
   * @param {string} label of the items
   * @param {number} size items per page
   * @param {() => void} onChange
   */
  constructor(label, size, onChange) {
    this.#size = size;
    this.#onChange = onChange;
    this.element = el("nav", { class: "pager", "aria-label": `Pages of ${label}` }, this.#newer, this.#range, this.#older);
  }

  /** Show the current range, with this many items on the page. */
  show(/** @type {number} */ count, more = count === this.#size) {
    setText(this.#range, count ? `${this.offset + 1} to ${this.offset + count}` : "");
    setEnabled(this.#newer, this.offset > 0);
    setEnabled(this.#older, more);
    this.element.hidden = this.offset === 0 && !more;
  }

  #turn(/** @type {HTMLElement} */ button, /** @type {number} */ step) {
    if (button.ariaDisabled === "true") return;
    this.offset = Math.max(0, this.offset + step * this.#size);
    this.#onChange();
  }
}
