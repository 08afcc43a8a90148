import { el, setState } from "./dom.js";
import { store } from "./store.js";

const SHOWN = {
  connecting: ["Connecting", "busy"],
  open: ["Live", "good"],
  lost: ["Reconnecting", "wait"],
};

/** Whether the page is up to date. */
class ConnectionElement extends HTMLElement {
  #abort = new AbortController();

  connectedCallback() {
    this.#abort = new AbortController();
    const badge = el("span", { class: "state", role: "status" });
    this.replaceChildren(badge);
    store.watch("connection", () => setState(badge, ...SHOWN[store.connection]), this.#abort.signal);
  }

  disconnectedCallback() {
    this.#abort.abort();
  }
}

customElements.define("bv-connection", ConnectionElement);
