import { action, setEnabled } from "../components/action.js";
import { confirmed } from "../components/confirm.js";
import { Field, showFieldError } from "../components/field.js";
import { errorText, request, send } from "../core/api.js";
import { card, el, formatTime, keyed, setText } from "../core/dom.js";
import { LiveElement } from "../core/live-element.js";
import { reader } from "../core/reader.js";
import { store } from "../core/store.js";

/** @typedef {import("../core/types.js").Configuration} Configuration */

const PAUSE = 1000;

/** @type {[string, import("../components/field.js").Definition[]][]} */
const GROUPS = [
  ["Which jobs to accept", [
    { name: "job_type_filter", label: "Job type", kind: "text", help: "Only job types that contain this text are accepted. Case is ignored. Empty: any type." },
    { name: "exclude_types", label: "Excluded types", kind: "lines", help: "One per line. Job types that contain one of these are always rejected." },
    { name: "max_accept_per_run", label: "Max. accepted per check", kind: "number", help: "Further jobs wait for the next check. 0 accepts none." },
    { name: "config_name", label: "Name", kind: "text", help: "The name of this configuration, also in the log." },
  ]],
  ["When to check", [
    { name: "check_interval_seconds", label: "Seconds between checks", kind: "number", help: "0.1 to 86400. Shorter finds jobs sooner, but sends more requests to the portal." },
    { name: "enable_quick_check", label: "Quick checks", kind: "flag", help: "Between two checks, reads only the list of jobs. A new job starts a full check at once." },
    { name: "quick_check_interval_seconds", label: "Seconds between quick checks", kind: "number", help: "A whole number. Useful if shorter than the time between checks." },
  ]],
  ["What to report", [
    { name: "enable_results_reporting", label: "Report results", kind: "flag", help: "A log line with the numbers of checked, accepted and rejected jobs." },
    { name: "results_report_interval_seconds", label: "Seconds between result reports", kind: "number", help: "A whole number." },
    { name: "enable_rejected_reporting", label: "Report rejected jobs", kind: "flag", help: "A list of rejected jobs with their reasons." },
    { name: "rejected_report_interval_seconds", label: "Seconds between rejected reports", kind: "number", help: "A whole number; 43200 is twice a day." },
  ]],
];

/** The configurations: the rules of the sessions. Unsaved input stays when another client changes a configuration. */
class ConfigurationElement extends LiveElement {
  /** The shown configuration, as saved on the server. @type {Configuration | null} */
  #base = null;
  #groups = GROUPS.map(([legend, fields]) => ({ legend, fields: fields.map((definition) => new Field(definition)) }));
  #fields = this.#groups.flatMap((group) => group.fields);
  #selection = new Field({ name: "selection", label: "Configuration", kind: "choice", help: "Sessions without a configuration of their own use the active one." });
  #save = action("Save", () => this.#send(), { class: "primary", type: "submit" });
  #undo = action("Undo", async () => this.#fill());
  #activate = action("Activate", () => send(`/api/bot/configurations/${this.#base?.id}/activate`), { class: "small" });
  #copy = new Field({ name: "config_name", label: "Name of the copy", kind: "text", help: "Copies the saved values to a new configuration, which is not active." });
  #add = action("Copy", () => this.#sendCopy(), { class: "small", type: "submit" });
  #state = el("p", { class: "quiet", role: "status" });
  #error = el("p", { class: "notice" });
  #read = reader(() => this.#readAll(), PAUSE, (text) => setText(this.#error, text));

  mount(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) this.#build();
    store.watch("configuration-changed", this.#read, signal);
  }

  #build() {
    const submit = (/** @type {Event} */ event) => event.preventDefault();
    const form = el("form", { class: "fields groups", novalidate: true, submit, input: () => this.#drawState() });
    const groups = this.#groups.map(({ legend, fields }) => el("fieldset", {}, el("legend", {}, legend), ...fields.map((field) => field.element)));
    form.append(...groups, el("div", { class: "form-end" }, this.#save, this.#undo, this.#state));
    this.#selection.input.addEventListener("change", () => this.#select());
    this.append(
      card("Configuration", this.#error, el("div", { class: "fields" }, this.#selection.element, el("div", { class: "form-end" }, this.#activate))),
      card("Rules", form),
      card("New configuration", el("form", { class: "fields", novalidate: true, submit }, this.#copy.element, el("div", { class: "form-end" }, this.#add))),
    );
    this.#drawState();
  }

  async #readAll() {
    /** @type {Configuration[]} */
    const all = await request("/api/bot/configurations");
    keyed(this.#selection.input, all, (one) => one.id, (one) => el("option", { value: one.id }), (option, one) => {
      setText(option, one.is_active ? `${one.config_name} (active)` : one.config_name);
    });
    const shown = all.find((one) => one.id === this.#base?.id) ?? all.find((one) => one.is_active) ?? all[0];
    if (!shown) return;
    this.#selection.value = shown.id;
    this.#apply(shown);
  }

  /** Show another configuration; ask first if input would be lost. */
  async #select() {
    const id = this.#selection.value;
    const question = { title: "Discard changes?", text: "The changes are not saved and will be lost.", yes: "Discard" };
    if (this.#changed.length && !(await confirmed(question))) {
      this.#selection.value = this.#base?.id ?? id;
      return;
    }
    try {
      this.#show(await request(`/api/bot/configurations/${id}`));
    } catch (error) {
      store.notify(errorText(error));
    }
  }

  #show(/** @type {Configuration} */ row) {
    this.#base = row;
    this.#fill();
  }

  /** Apply the server's values; a field with other input only gets a note. */
  #apply(/** @type {Configuration} */ row) {
    const before = this.#base;
    if (!before) return this.#show(row);
    this.#base = row;
    for (const field of this.#fields) {
      const { name } = field.definition;
      if (same(before[name], row[name])) continue;
      if (same(field.value, before[name]) || same(field.value, row[name])) this.#reset(field);
      else this.#noteChange(field);
    }
    this.#drawState();
  }

  #fill() {
    for (const field of this.#fields) this.#reset(field);
    this.#drawState();
  }

  #reset(/** @type {Field} */ field) {
    field.value = this.#base?.[field.definition.name];
    field.setError("");
    field.setNote();
  }

  #noteChange(/** @type {Field} */ field) {
    const saved = this.#base?.[field.definition.name];
    const use = () => {
      this.#reset(field);
      field.input.focus();
      this.#drawState();
    };
    const shown = Array.isArray(saved) ? saved.join(", ") : String(saved);
    field.setNote(`Changed elsewhere to ${shown || "empty"}. `, el("button", { type: "button", class: "small", click: use }, "Use it"));
  }

  get #changed() {
    const base = this.#base;
    return base ? this.#fields.filter((field) => !same(field.value, base[field.definition.name])) : [];
  }

  #drawState() {
    const changed = this.#changed;
    const base = this.#base;
    setEnabled(this.#save, changed.length > 0);
    setEnabled(this.#undo, changed.length > 0);
    setEnabled(this.#activate, base?.is_active === false);
    for (const field of this.#fields) field.element.toggleAttribute("data-changed", changed.includes(field));
    const names = changed.map((field) => field.definition.label.toLowerCase()).join(", ");
    setText(this.#state, changed.length ? `Not saved: ${names}` : base?.updated_at ? `Saved at ${formatTime(base.updated_at)}` : "");
  }

  async #send() {
    const changed = this.#changed;
    for (const field of this.#fields) field.setError("");
    const body = Object.fromEntries(changed.map((field) => [field.definition.name, field.value]));
    try {
      const row = await send(`/api/bot/configurations/${this.#base?.id}`, body, "PUT");
      for (const field of changed) field.setNote();
      this.#apply(row);
      store.notify("Saved. Sessions apply it with their next check.", "good");
    } catch (error) {
      if (!showFieldError(changed, errorText(error))) throw error;
    }
  }

  async #sendCopy() {
    this.#copy.setError("");
    const values = Object.fromEntries(this.#fields.map(({ definition: { name } }) => [name, this.#base?.[name]]));
    try {
      const row = await send("/api/bot/configurations", { ...values, config_name: this.#copy.value });
      this.#copy.value = "";
      store.notify(`${row.config_name} added.`, "good");
      this.#read();
    } catch (error) {
      if (!showFieldError([this.#copy], errorText(error))) throw error;
    }
  }
}

const same = (/** @type {unknown} */ a, /** @type {unknown} */ b) => JSON.stringify(a) === JSON.stringify(b);

customElements.define("bv-configuration", ConfigurationElement);
