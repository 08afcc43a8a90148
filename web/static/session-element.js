import { ask } from "./api.js";
import { el, moment, setState, setText } from "./dom.js";
import { toneOf } from "./events.js";
import { store } from "./store.js";

const COUNTERS = [
  ["total_checks", "Checks", ""],
  ["total_accepted", "Accepted", "good"],
  ["total_rejected", "Rejected", ""],
];

/** The session on duty: what it is, what it has done, and the buttons that start and stop it. */
class SessionElement extends HTMLElement {
  #abort = new AbortController();
  #busy = false;
  #name = el("span", { class: "session-name" }, "…");
  #state = el("span", { class: "state" });
  #start = /** @type {HTMLButtonElement} */ (el("button", { class: "primary", type: "button", click: () => this.#command("start") }, "Start"));
  #stop = /** @type {HTMLButtonElement} */ (el("button", { type: "button", click: () => this.#command("stop") }, "Stop"));
  #facts = el("dl", { class: "facts" });
  #message = el("p", { class: "notice" });
  #error = el("p", { class: "notice", role: "alert", "data-tone": "bad" });
  /** @type {Map<string, HTMLElement>} */
  #values = new Map();

  connectedCallback() {
    this.#abort = new AbortController();
    const counters = el("dl", { class: "counters" });
    for (const [key, label, tone] of [...COUNTERS, ["rate", "Acceptance", ""]]) {
      const value = el("dd", {}, "–");
      this.#values.set(key, value);
      counters.append(el("div", { "data-tone": tone }, el("dt", {}, label), value));
    }
    this.replaceChildren(
      el("div", { class: "session-head" }, this.#name, this.#state, el("div", { class: "session-actions" }, this.#start, this.#stop)),
      this.#facts,
      counters,
      this.#message,
      this.#error,
    );
    store.watch("bot", () => this.#draw(), this.#abort.signal);
  }

  disconnectedCallback() {
    this.#abort.abort();
  }

  #draw() {
    const bot = store.bot;
    this.#start.disabled = this.#busy || !bot || bot.is_running;
    this.#stop.disabled = this.#busy || !bot?.session_id;
    if (!bot) return;
    setText(this.#name, bot.session_name ?? "No active session");
    setState(this.#state, bot.status, toneOf(bot.status));
    setText(this.#message, bot.message ?? "");
    this.#drawFacts(bot);
    for (const [key] of COUNTERS) setText(this.#values.get(key), Number(bot[key]).toLocaleString());
    const decided = bot.total_accepted + bot.total_rejected;
    setText(this.#values.get("rate"), decided ? `${Math.round((100 * bot.total_accepted) / decided)} %` : "–");
  }

  #drawFacts(/** @type {Record<string, any>} */ bot) {
    const facts = bot.session_id
      ? [
          ["login", bot.login_status.replaceAll("_", " ")],
          ["portal", bot.portal],
          ["engine", bot.engine],
          ["since", bot.start_time ? moment(bot.start_time) : null],
          ["cycle", store.cycle?.toLocaleString()],
        ]
      : [];
    const text = JSON.stringify(facts);
    if (this.#facts.dataset.shown === text) return;
    this.#facts.dataset.shown = text;
    this.#facts.replaceChildren(
      ...facts.filter(([, value]) => value).map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))),
    );
  }

  async #command(/** @type {"start" | "stop"} */ verb) {
    this.#busy = true;
    this.#error.textContent = "";
    this.#draw();
    try {
      await ask(`/api/bot/${verb}`, { method: "POST" });
    } catch (error) {
      this.#error.textContent = error.message;
    }
    this.#busy = false;
    this.#draw();
  }
}

customElements.define("bv-session", SessionElement);
