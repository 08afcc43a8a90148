import { action } from "./action.js";
import { order } from "./api.js";
import { card, el, keyed, moment, setFacts, setState, setText, span } from "./dom.js";
import { serviceTone } from "./events.js";
import { health, isDue, learnHealth, watchHealth } from "./health.js";
import { LiveElement, eachSecond } from "./live-element.js";
import { titleOf } from "./services-element.js";
import { store } from "./store.js";

/** Each service: its state, and what that rests on. */
class HealthElement extends LiveElement {
  #overall = el("span", { class: "state" });
  #check = action("Check now", () => this.#checkNow(), { class: "small" });
  #list = el("ul", { class: "services", role: "list" });

  live(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) this.append(card("Services", el("div", { class: "tools" }, this.#overall, this.#check), this.#list));
    watchHealth(() => this.#draw(), signal);
    store.watch("bot", () => this.#lookAgain(), signal);
    eachSecond(() => this.#draw(), signal);
  }

  /** No frame tells of a look that found what was known: where one is due, the next word of any kind will do. */
  #lookAgain() {
    if (isDue()) store.touch("health-news");
  }

  #draw() {
    const now = health();
    if (!now) return;
    setState(this.#overall, now.overall_status, serviceTone(now.overall_status));
    keyed(this.#list, Object.entries(now.services), ([name]) => name, make, update);
  }

  async #checkNow() {
    const now = await order("/health/force-check");
    learnHealth(now);
    store.say(`${now.message}.`, now.overall_status === "healthy" ? "good" : "bad");
  }
}

function make(/** @type {import("./services-element.js").Named} */ [name]) {
  return el(
    "li",
    { class: "service" },
    el("h3", {}, titleOf(name)),
    el("span", { class: "state" }),
    el("p", { class: "evidence" }),
    el("p", { class: "notice", "data-tone": "bad" }),
    el("p", { class: "notice" }),
    el("dl", { class: "facts" }),
  );
}

function update(/** @type {HTMLElement} */ element, /** @type {import("./services-element.js").Named} */ [name, service]) {
  const [, state, evidence, error, warning, facts] = /** @type {HTMLElement[]} */ ([...element.children]);
  setState(state, service.status, serviceTone(service.status));
  setText(evidence, service.evidence ?? "");
  setText(error, service.error ?? "");
  setText(warning, service.warning ?? "");
  const since = store.serviceSince.get(name);
  const { last_check: last } = service;
  setFacts(facts, [
    [`${service.status} since`, since && moment(since)],
    ["checked", last ? `${moment(last)}, ${span((Date.now() - Date.parse(last)) / 1000)} ago` : "never"],
    ["took", service.latency_ms === null ? null : `${service.latency_ms} ms`],
    ["failed in a row", service.retry_count ? String(service.retry_count) : null],
  ]);
}

customElements.define("bv-health", HealthElement);
