// Long lists a page at a time.

import { allow } from "./action.js";
import { el, setText } from "./dom.js";

export class Pager {
  /** How many come before the page that is shown. */
  offset = 0;
  #size;
  #turned;
  #where = el("span", { class: "quiet" });
  #back = el("button", { class: "small", type: "button", click: () => this.#turn(this.#back, -1) }, "Newer");
  #on = el("button", { class: "small", type: "button", click: () => this.#turn(this.#on, 1) }, "Older");
  element;

  /**
   * @param {string} label what is paged
   * @param {number} size of a page
   * @param {() => void} turned
   */
  constructor(label, size, turned) {
    this.#size = size;
    this.#turned = turned;
    this.element = el("nav", { class: "pager", "aria-label": `Pages of ${label}` }, this.#back, this.#where, this.#on);
  }

  /** Say where we are, with so many on this page. */
  show(/** @type {number} */ count, more = count === this.#size) {
    setText(this.#where, count ? `${this.offset + 1} to ${this.offset + count}` : "");
    allow(this.#back, this.offset > 0);
    allow(this.#on, more);
    this.element.hidden = this.offset === 0 && !more;
  }

  #turn(/** @type {HTMLElement} */ button, /** @type {number} */ step) {
    if (button.ariaDisabled === "true") return;
    this.offset = Math.max(0, this.offset + step * this.#size);
    this.#turned();
  }
}
