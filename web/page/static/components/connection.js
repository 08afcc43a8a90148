import { el, formatClock, setState, setText } from "../core/dom.js";
import { LiveElement } from "../core/live-element.js";
import { store } from "../core/store.js";

/** @type {Record<import("../core/store.js").Connection, [string, string]>} */
const SHOWN = {
  connecting: ["Connecting", "busy"],
  open: ["Live", "good"],
  lost: ["Reconnecting", "wait"],
};

/** Shows the state of the live connection. */
class ConnectionElement extends LiveElement {
  #badge = el("span", { class: "state", role: "status" });

  mount(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(this.#badge);
    store.watch("connection", () => setState(this.#badge, ...SHOWN[store.connection]), signal);
  }
}

/** Shows since when the page is out of date, while the connection is lost. */
class StaleElement extends LiveElement {
  #notice = el("p", { class: "notice stale" });

  mount(/** @type {AbortSignal} */ signal) {
    this.setAttribute("role", "status");
    this.replaceChildren(this.#notice);
    store.watch("connection", () => setText(this.#notice, staleText(store.lostAt)), signal);
  }
}

function staleText(/** @type {Date | null} */ lostAt) {
  return lostAt ? `The live connection was lost at ${formatClock(lostAt)}. The page shows the state of that time. It reconnects automatically.` : "";
}

customElements.define("bv-connection", ConnectionElement);
customElements.define("bv-stale", StaleElement);
