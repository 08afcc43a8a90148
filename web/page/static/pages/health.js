import { action } from "../components/action.js";
import { titleOf } from "../components/services.js";
import { send } from "../core/api.js";
import { card, el, formatDuration, formatTime, keyed, setFacts, setState, setText } from "../core/dom.js";
import { serviceTone } from "../core/events.js";
import { health, isDue, updateHealth, watchHealth } from "../core/health.js";
import { LiveElement, eachSecond } from "../core/live-element.js";
import { store } from "../core/store.js";

/** Each service: its status, and the evidence for it. */
class HealthElement extends LiveElement {
  #overall = el("span", { class: "state" });
  #check = action("Check now", () => this.#checkNow(), { class: "small" });
  #list = el("ul", { class: "services", role: "list" });

  mount(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) this.append(card("Services", el("div", { class: "tools" }, this.#overall, this.#check), this.#list));
    watchHealth(() => this.#draw(), signal);
    store.watch("bot", () => this.#refreshIfDue(), signal);
    eachSecond(() => this.#draw(), signal);
  }

  /** Checks without a change of status send no frame, so read again when a check was due and any status arrives. */
  #refreshIfDue() {
    if (isDue()) store.publish("health-changed");
  }

  #draw() {
    const now = health();
    if (!now) return;
    setState(this.#overall, now.overall_status, serviceTone(now.overall_status));
    keyed(this.#list, Object.entries(now.services), ([name]) => name, make, update);
  }

  async #checkNow() {
    const now = await send("/health/force-check");
    updateHealth(now);
    store.notify(`${now.message}.`, now.overall_status === "healthy" ? "good" : "bad");
  }
}

function make(/** @type {import("../components/services.js").Named} */ [name]) {
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

function update(/** @type {HTMLElement} */ element, /** @type {import("../components/services.js").Named} */ [name, service]) {
  const [, state, evidence, error, warning, facts] = /** @type {HTMLElement[]} */ ([...element.children]);
  setState(state, service.status, serviceTone(service.status));
  setText(evidence, service.evidence ?? "");
  setText(error, service.error ?? "");
  setText(warning, service.warning ?? "");
  const since = store.serviceSince.get(name);
  const { last_check: last } = service;
  setFacts(facts, [
    [`${service.status} since`, since && formatTime(since)],
    ["checked", last ? `${formatTime(last)}, ${formatDuration((Date.now() - Date.parse(last)) / 1000)} ago` : "never"],
    ["latency", service.latency_ms === null ? null : `${service.latency_ms} ms`],
    ["failed in a row", service.retry_count ? String(service.retry_count) : null],
  ]);
}

customElements.define("bv-health", HealthElement);
