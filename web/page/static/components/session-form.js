import { errorText, request, send } from "../core/api.js";
import { el } from "../core/dom.js";
import { LiveElement } from "../core/live-element.js";
import { reader } from "../core/reader.js";
import { store } from "../core/store.js";
import { action } from "./action.js";
import { Field, showFieldError } from "./field.js";

const PAUSE = 1000;

/** A form that starts another session. */
class SessionFormElement extends LiveElement {
  #name = new Field({ name: "session_name", label: "Name", kind: "text", help: "Default: the start time." });
  #portal = new Field({ name: "portal", label: "Portal", kind: "text", help: "Name of a portal definition. Default: the portal in the settings." });
  #configuration = new Field({ name: "config_id", label: "Configuration", kind: "choice", help: "The rules of the session." });
  #start = action("Start session", () => this.#send(), { class: "primary", type: "submit" });
  #read = reader(() => this.#readConfigurations(), PAUSE);

  mount(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) {
      const submit = (/** @type {Event} */ event) => event.preventDefault();
      this.append(el("form", { class: "fields", novalidate: true, submit }, ...this.#fields.map((field) => field.element), el("div", { class: "form-end" }, this.#start)));
    }
    store.watch("configuration-changed", this.#read, signal);
  }

  get #fields() {
    return [this.#name, this.#portal, this.#configuration];
  }

  async #readConfigurations() {
    /** @type {import("../core/types.js").Configuration[]} */
    const all = await request("/api/bot/configurations");
    const chosen = this.#configuration.value;
    const active = all.find((one) => one.is_active);
    this.#configuration.input.replaceChildren(
      el("option", { value: "" }, `Active${active ? ` (${active.config_name})` : ""}`),
      ...all.map((one) => el("option", { value: one.id }, one.config_name)),
    );
    this.#configuration.value = all.some((one) => one.id === chosen) ? chosen : "";
  }

  async #send() {
    for (const field of this.#fields) field.setError("");
    const filled = this.#fields.filter((field) => field.value !== "");
    const body = Object.fromEntries(filled.map((field) => [field.definition.name, field.value]));
    try {
      const session = await send("/api/sessions", body);
      this.#name.value = "";
      store.notify(`${session.session_name} started.`, "good");
    } catch (error) {
      if (!showFieldError(this.#fields, errorText(error))) throw error;
    }
  }
}

customElements.define("bv-session-form", SessionFormElement);
