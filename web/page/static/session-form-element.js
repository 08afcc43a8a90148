import { action } from "./action.js";
import { ask, order, sentence } from "./api.js";
import { el } from "./dom.js";
import { Field, refuseField } from "./field.js";
import { LiveElement } from "./live-element.js";
import { reader } from "./reader.js";
import { store } from "./store.js";

const PAUSE = 1000;

/** Starts one more session, beside those that run. */
class SessionFormElement extends LiveElement {
  #name = new Field({ name: "session_name", label: "Name", kind: "text", help: "Left empty, it is named after the time." });
  #portal = new Field({ name: "portal", label: "Portal", kind: "text", help: "A portal's definition. Left empty, it is the one in the settings." });
  #rules = new Field({ name: "config_id", label: "Configuration", kind: "choice", help: "The rules it decides by." });
  #start = action("Start session", () => this.#send(), { class: "primary", type: "submit" });
  #read = reader(() => this.#readRules(), PAUSE);

  live(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) {
      const submit = (/** @type {Event} */ event) => event.preventDefault();
      this.append(el("form", { class: "fields", novalidate: true, submit }, ...this.#fields.map((field) => field.element), el("div", { class: "form-end" }, this.#start)));
    }
    store.watch("configuration-news", this.#read, signal);
  }

  get #fields() {
    return [this.#name, this.#portal, this.#rules];
  }

  async #readRules() {
    /** @type {import("./types.js").Configuration[]} */
    const all = await ask("/api/bot/configurations");
    const chosen = this.#rules.value;
    const active = all.find((one) => one.is_active);
    this.#rules.input.replaceChildren(
      el("option", { value: "" }, `The active one${active ? ` (${active.config_name})` : ""}`),
      ...all.map((one) => el("option", { value: one.id }, one.config_name)),
    );
    this.#rules.value = all.some((one) => one.id === chosen) ? chosen : "";
  }

  async #send() {
    for (const field of this.#fields) field.refuse("");
    const given = this.#fields.filter((field) => field.value !== "");
    const body = Object.fromEntries(given.map((field) => [field.definition.name, field.value]));
    try {
      const session = await order("/api/sessions", body);
      this.#name.value = "";
      store.say(`${session.session_name} was started.`, "good");
    } catch (error) {
      if (!refuseField(this.#fields, sentence(error))) throw error;
    }
  }
}

customElements.define("bv-session-form", SessionFormElement);
