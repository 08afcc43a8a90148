import { el, keyed, setState } from "../core/dom.js";
import { serviceTone } from "../core/events.js";
import { health, watchHealth } from "../core/health.js";
import { LiveElement } from "../core/live-element.js";

/** A summary of the services: the status of each. */
class ServicesElement extends LiveElement {
  #list = el("dl", { class: "counts" });

  mount(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(this.#list, el("a", { href: "#/health", class: "more-link" }, "Details"));
    watchHealth(() => this.#draw(), signal);
  }

  #draw() {
    keyed(this.#list, Object.entries(health()?.services ?? {}), ([name]) => name, make, update);
  }
}

/** @typedef {[string, import("../core/types.js").Service]} Named */

/** The display name of a service. */
export function titleOf(/** @type {string} */ name) {
  /** @type {Record<string, string>} */
  const titles = { database: "PostgreSQL", redis: "Redis", bot_process: "Sessions", external_api: "Portals", websocket: "WebSocket" };
  return titles[name] ?? name;
}

function make(/** @type {Named} */ [name]) {
  return el("div", {}, el("dt", {}, titleOf(name)), el("dd", {}, el("span", { class: "state" })));
}

function update(/** @type {HTMLElement} */ element, /** @type {Named} */ [, { status }]) {
  setState(/** @type {HTMLElement} */ (element.querySelector(".state")), status, serviceTone(status));
}

customElements.define("bv-services", ServicesElement);
