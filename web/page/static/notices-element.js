import { el, keyed } from "./dom.js";
import { LiveElement } from "./live-element.js";
import { store } from "./store.js";

/** What the reader has to be told: refused commands, until they are put away. */
class NoticesElement extends LiveElement {
  #list = el("ul", { class: "notices", role: "list" });

  live(/** @type {AbortSignal} */ signal) {
    this.setAttribute("role", "status");
    this.replaceChildren(this.#list);
    store.watch("notices", () => this.#draw(), signal);
  }

  #draw() {
    keyed(this.#list, store.notices, (notice) => String(notice.id), make, () => {});
  }
}

function make(/** @type {import("./types.js").Notice} */ notice) {
  const dismiss = () => {
    store.unsay(notice.id);
    // The button goes, and the focus must not go with it.
    away.closest("main")?.focus({ preventScroll: true });
  };
  const away = el("button", { class: "small", type: "button", click: dismiss }, "Dismiss");
  return el("li", { class: "notice", "data-tone": notice.tone }, el("p", {}, notice.text), away);
}

customElements.define("bv-notices", NoticesElement);
