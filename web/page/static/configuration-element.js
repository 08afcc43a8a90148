import { action, allow } from "./action.js";
import { ask, order, sentence } from "./api.js";
import { confirmed } from "./confirm.js";
import { GROUPS } from "./configuration-fields.js";
import { card, el, keyed, moment, setText } from "./dom.js";
import { Field, refuseField } from "./field.js";
import { LiveElement } from "./live-element.js";
import { reader } from "./reader.js";
import { store } from "./store.js";

/** @typedef {import("./types.js").Configuration} Configuration */

const PAUSE = 1000;

/** The rules that sessions work by. What is being typed stays, whoever else changes them. */
class ConfigurationElement extends LiveElement {
  /** As the server has the one that is shown. @type {Configuration | null} */
  #base = null;
  #groups = GROUPS.map(([legend, fields]) => ({ legend, fields: fields.map((definition) => new Field(definition)) }));
  #fields = this.#groups.flatMap((group) => group.fields);
  #which = new Field({ name: "which", label: "Configuration", kind: "choice", help: "Sessions that were given none of their own work by the active one." });
  #save = action("Save", () => this.#send(), { class: "primary", type: "submit" });
  #undo = action("Undo", async () => this.#fill());
  #activate = action("Make it the active one", () => order(`/api/bot/configurations/${this.#base?.id}/activate`), { class: "small" });
  #copy = new Field({ name: "config_name", label: "Name of a copy", kind: "text", help: "Keeps the saved values under another name; it is not active at first." });
  #add = action("Copy", () => this.#sendCopy(), { class: "small", type: "submit" });
  #state = el("p", { class: "quiet", role: "status" });
  #error = el("p", { class: "notice" });
  #read = reader(() => this.#readAll(), PAUSE, (sentence) => setText(this.#error, sentence));

  live(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) this.#build();
    store.watch("configuration-news", this.#read, signal);
  }

  #build() {
    const submit = (/** @type {Event} */ event) => event.preventDefault();
    const form = el("form", { class: "fields groups", novalidate: true, submit, input: () => this.#drawState() });
    const groups = this.#groups.map(({ legend, fields }) => el("fieldset", {}, el("legend", {}, legend), ...fields.map((field) => field.element)));
    form.append(...groups, el("div", { class: "form-end" }, this.#save, this.#undo, this.#state));
    this.#which.input.addEventListener("change", () => this.#turnTo());
    this.append(
      card("Which rules", this.#error, el("div", { class: "fields" }, this.#which.element, el("div", { class: "form-end" }, this.#activate))),
      card("Rules", form),
      card("Another set of rules", el("form", { class: "fields", novalidate: true, submit }, this.#copy.element, el("div", { class: "form-end" }, this.#add))),
    );
    this.#drawState();
  }

  async #readAll() {
    /** @type {Configuration[]} */
    const all = await ask("/api/bot/configurations");
    keyed(this.#which.input, all, (one) => one.id, (one) => el("option", { value: one.id }), (option, one) => {
      setText(option, one.is_active ? `${one.config_name} (active)` : one.config_name);
    });
    const shown = all.find((one) => one.id === this.#base?.id) ?? all.find((one) => one.is_active) ?? all[0];
    if (!shown) return;
    this.#which.value = shown.id;
    this.#take(shown);
  }

  /** Show another one, unless something would be lost by that. */
  async #turnTo() {
    const id = this.#which.value;
    const question = { title: "Leave what was typed?", text: "It was not saved, and would be lost.", yes: "Leave it" };
    if (this.#changed.length && !(await confirmed(question))) {
      this.#which.value = this.#base?.id ?? id;
      return;
    }
    try {
      this.#show(await ask(`/api/bot/configurations/${id}`));
    } catch (error) {
      store.say(sentence(error));
    }
  }

  #show(/** @type {Configuration} */ row) {
    this.#base = row;
    this.#fill();
  }

  /** Take over what the server has; where something else is being typed, only say so. */
  #take(/** @type {Configuration} */ row) {
    const before = this.#base;
    if (!before) return this.#show(row);
    this.#base = row;
    for (const field of this.#fields) {
      const { name } = field.definition;
      if (same(before[name], row[name])) continue;
      if (same(field.value, before[name]) || same(field.value, row[name])) this.#set(field);
      else this.#offer(field);
    }
    this.#drawState();
  }

  #fill() {
    for (const field of this.#fields) this.#set(field);
    this.#drawState();
  }

  #set(/** @type {Field} */ field) {
    field.value = this.#base?.[field.definition.name];
    field.refuse("");
    field.note();
  }

  #offer(/** @type {Field} */ field) {
    const theirs = this.#base?.[field.definition.name];
    const take = () => {
      this.#set(field);
      field.input.focus();
      this.#drawState();
    };
    const shown = Array.isArray(theirs) ? theirs.join(", ") : String(theirs);
    field.note(`Somebody has changed it to ${shown || "nothing"}. `, el("button", { type: "button", class: "small", click: take }, "Take that"));
  }

  get #changed() {
    const base = this.#base;
    return base ? this.#fields.filter((field) => !same(field.value, base[field.definition.name])) : [];
  }

  #drawState() {
    const changed = this.#changed;
    const base = this.#base;
    allow(this.#save, changed.length > 0);
    allow(this.#undo, changed.length > 0);
    allow(this.#activate, base?.is_active === false);
    for (const field of this.#fields) field.element.toggleAttribute("data-changed", changed.includes(field));
    const names = changed.map((field) => field.definition.label.toLowerCase()).join(", ");
    setText(this.#state, changed.length ? `Not saved: ${names}` : base?.updated_at ? `As it was saved, ${moment(base.updated_at)}` : "");
  }

  async #send() {
    const changed = this.#changed;
    for (const field of this.#fields) field.refuse("");
    const body = Object.fromEntries(changed.map((field) => [field.definition.name, field.value]));
    try {
      const row = await order(`/api/bot/configurations/${this.#base?.id}`, body, "PUT");
      for (const field of changed) field.note();
      this.#take(row);
      store.say("Saved. Sessions take it within one look.", "good");
    } catch (error) {
      if (!refuseField(changed, sentence(error))) throw error;
    }
  }

  async #sendCopy() {
    this.#copy.refuse("");
    const values = Object.fromEntries(this.#fields.map(({ definition: { name } }) => [name, this.#base?.[name]]));
    try {
      const row = await order("/api/bot/configurations", { ...values, config_name: this.#copy.value });
      this.#copy.value = "";
      store.say(`${row.config_name} was added.`, "good");
      this.#read();
    } catch (error) {
      if (!refuseField([this.#copy], sentence(error))) throw error;
    }
  }
}

const same = (/** @type {unknown} */ a, /** @type {unknown} */ b) => JSON.stringify(a) === JSON.stringify(b);

customElements.define("bv-configuration", ConfigurationElement);
