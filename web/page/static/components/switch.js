import { send } from "../core/api.js";
import { el, setFacts, setState, setText } from "../core/dom.js";
import { toneOf } from "../core/events.js";
import { LiveElement } from "../core/live-element.js";
import { store } from "../core/store.js";
import { action, setEnabled } from "./action.js";
import { confirmed } from "./confirm.js";

const COUNTERS = /** @type {const} */ ([
  ["total_checks", "Checks"],
  ["total_accepted", "Accepted"],
  ["total_rejected", "Rejected"],
]);

/** The main switch: starts the bot, or stops or resets all of its sessions. */
class SwitchElement extends LiveElement {
  #name = el("span", { class: "session-name" }, "…");
  #state = el("span", { class: "state" });
  #start = action("Start", () => send("/api/bot/start"), { class: "primary" });
  #stop = action("Stop", () => this.#stopAll());
  #reset = action("Reset", () => this.#resetAll());
  #facts = el("dl", { class: "facts" });
  #counters = el("dl", { class: "counters" });
  #message = el("p", { class: "notice" });

  mount(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(
      el("div", { class: "session-head" }, this.#name, this.#state, el("div", { class: "session-actions" }, this.#start, this.#stop, this.#reset)),
      this.#facts,
      this.#counters,
      this.#message,
    );
    store.watch("bot", () => this.#draw(), signal);
  }

  #draw() {
    const { bot, running, metrics } = store;
    setEnabled(this.#start, bot !== null && !bot.session_id);
    setEnabled(this.#stop, Boolean(bot?.session_id));
    if (!bot) return;
    const several = running !== null && running.size > 1;
    setText(this.#name, several ? `${running.size} sessions` : bot.session_name ?? "No active session");
    setState(this.#state, bot.status, toneOf(bot.status));
    setText(this.#message, bot.message ?? "");
    const { total_jobs_today: today, acceptance_rate_today: rate } = metrics;
    setFacts(this.#facts, [
      ["login", bot.session_id && !several ? bot.login_status.replaceAll("_", " ") : null],
      ["portal", several ? null : bot.portal],
      ["engine", several ? null : bot.engine],
      ["jobs today", today?.toLocaleString()],
      ["accepted today", today ? `${Math.round(rate ?? 0)} %` : null],
      ["top language", metrics.most_active_language],
    ]);
    const all = running?.size ? [...running.values()] : [bot];
    const sums = COUNTERS.map(([key]) => all.reduce((sum, session) => sum + session[key], 0));
    drawCounters(this.#counters, sums);
  }

  async #stopAll() {
    const count = store.running?.size ?? 1;
    const which = count === 1 ? "The running session" : `All ${count} running sessions`;
    const question = { title: "Stop the bot?", text: `${which} will stop and take no more jobs.`, yes: "Stop the bot" };
    if (await confirmed(question)) await send("/api/bot/stop");
  }

  async #resetAll() {
    const text = "All sessions stop at once, without finishing their current check, and saved logins are deleted.";
    if (await confirmed({ title: "Reset the bot?", text, yes: "Reset the bot" })) {
      await send("/api/bot/force-reset");
      store.notify("The bot was reset.", "good");
    }
  }
}

/** Show the numbers of checks, accepted and rejected jobs, and the acceptance rate. */
export function drawCounters(/** @type {HTMLElement} */ list, /** @type {number[]} */ [checks, accepted, rejected]) {
  const decided = accepted + rejected;
  setFacts(list, [
    ["Checks", checks.toLocaleString()],
    ["Accepted", accepted.toLocaleString()],
    ["Rejected", rejected.toLocaleString()],
    ["Acceptance", decided ? `${Math.round((100 * accepted) / decided)} %` : "–"],
  ]);
}

customElements.define("bv-switch", SwitchElement);
