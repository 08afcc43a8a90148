import { el, keyed, setState } from "./dom.js";
import { serviceTone } from "./events.js";
import { health, watchHealth } from "./health.js";
import { LiveElement } from "./live-element.js";

/** The services at a glance, one word each. */
class ServicesElement extends LiveElement {
  #list = el("dl", { class: "tallies" });

  live(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(this.#list, el("a", { href: "#/health", class: "further" }, "What that rests on"));
    watchHealth(() => this.#draw(), signal);
  }

  #draw() {
    keyed(this.#list, Object.entries(health()?.services ?? {}), ([name]) => name, make, update);
  }
}

/** @typedef {[string, import("./types.js").Service]} Named */

/** A service's name as people write it. */
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
