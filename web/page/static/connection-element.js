import { clock, el, setState, setText } from "./dom.js";
import { LiveElement } from "./live-element.js";
import { store } from "./store.js";

/** @type {Record<import("./store.js").Connection, [string, string]>} */
const SHOWN = {
  connecting: ["Connecting", "busy"],
  open: ["Live", "good"],
  lost: ["Reconnecting", "wait"],
};

/** Whether the page is up to date. */
class ConnectionElement extends LiveElement {
  #badge = el("span", { class: "state", role: "status" });

  live(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(this.#badge);
    store.watch("connection", () => setState(this.#badge, ...SHOWN[store.connection]), signal);
  }
}

/** Says, while nothing is told, how old that is what the page shows. */
class StaleElement extends LiveElement {
  #notice = el("p", { class: "notice stale" });

  live(/** @type {AbortSignal} */ signal) {
    this.setAttribute("role", "status");
    this.replaceChildren(this.#notice);
    store.watch("connection", () => setText(this.#notice, sentenceOf(store.lostAt)), signal);
  }
}

function sentenceOf(/** @type {Date | null} */ lostAt) {
  return lostAt ? `The live connection was lost at ${clock(lostAt)}. What you see is from then; it goes on by itself as soon as the server answers.` : "";
}

customElements.define("bv-connection", ConnectionElement);
customElements.define("bv-stale", StaleElement);
