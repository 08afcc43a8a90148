import { el, keyed } from "../core/dom.js";
import { LiveElement } from "../core/live-element.js";
import { store } from "../core/store.js";

/** Notices to the user: rejected commands, until they are dismissed, and for a while successful ones. */
class NoticesElement extends LiveElement {
  #list = el("ul", { class: "notices", role: "list" });

  mount(/** @type {AbortSignal} */ signal) {
    this.setAttribute("role", "status");
    this.replaceChildren(this.#list);
    store.watch("notices", () => this.#draw(), signal);
  }

  #draw() {
    keyed(this.#list, store.notices, (notice) => String(notice.id), make, () => {});
  }
}

function make(/** @type {import("../core/types.js").Notice} */ notice) {
  const dismiss = () => {
    store.dismiss(notice.id);
    // The button is removed; keep the focus on the page.
    button.closest("main")?.focus({ preventScroll: true });
  };
  const button = el("button", { class: "small", type: "button", click: dismiss }, "Dismiss");
  return el("li", { class: "notice", "data-tone": notice.tone }, el("p", {}, notice.text), button);
}

customElements.define("bv-notices", NoticesElement);
