import { action, allow } from "./action.js";
import { order } from "./api.js";
import { confirmed } from "./confirm.js";
import { el, setFacts, setState, setText } from "./dom.js";
import { toneOf } from "./events.js";
import { LiveElement } from "./live-element.js";
import { store } from "./store.js";

const COUNTERS = /** @type {const} */ ([
  ["total_checks", "Checks"],
  ["total_accepted", "Accepted"],
  ["total_rejected", "Rejected"],
]);

/** The main switch: one press starts the bot, or ends all that it does. */
class SwitchElement extends LiveElement {
  #name = el("span", { class: "session-name" }, "…");
  #state = el("span", { class: "state" });
  #start = action("Start", () => order("/api/bot/start"), { class: "primary" });
  #stop = action("Stop", () => this.#stopAll());
  #reset = action("Reset", () => this.#resetAll());
  #facts = el("dl", { class: "facts" });
  #counters = el("dl", { class: "counters" });
  #message = el("p", { class: "notice" });

  live(/** @type {AbortSignal} */ signal) {
    this.replaceChildren(
      el("div", { class: "session-head" }, this.#name, this.#state, el("div", { class: "session-actions" }, this.#start, this.#stop, this.#reset)),
      this.#facts,
      this.#counters,
      this.#message,
    );
    store.watch("bot", () => this.#draw(), signal);
  }

  #draw() {
    const { bot, duty, metrics } = store;
    allow(this.#start, bot !== null && !bot.session_id);
    allow(this.#stop, Boolean(bot?.session_id));
    if (!bot) return;
    const several = duty !== null && duty.size > 1;
    setText(this.#name, several ? `${duty.size} sessions` : bot.session_name ?? "No active session");
    setState(this.#state, bot.status, toneOf(bot.status));
    setText(this.#message, bot.message ?? "");
    const { total_jobs_today: today, acceptance_rate_today: rate } = metrics;
    setFacts(this.#facts, [
      ["login", bot.session_id && !several ? bot.login_status.replaceAll("_", " ") : null],
      ["portal", several ? null : bot.portal],
      ["engine", several ? null : bot.engine],
      ["jobs today", today?.toLocaleString()],
      ["accepted today", today ? `${Math.round(rate ?? 0)} %` : null],
      ["most asked for", metrics.most_active_language],
    ]);
    const all = duty?.size ? [...duty.values()] : [bot];
    const sums = COUNTERS.map(([key]) => all.reduce((sum, session) => sum + session[key], 0));
    drawCounters(this.#counters, sums);
  }

  async #stopAll() {
    const count = store.duty?.size ?? 1;
    const whom = count === 1 ? "The session on duty" : `All ${count} sessions on duty`;
    const question = { title: "Stop the bot?", text: `${whom} will end. Jobs that come up meanwhile are left to others.`, yes: "Stop the bot" };
    if (await confirmed(question)) await order("/api/bot/stop");
  }

  async #resetAll() {
    const text = "Every session ends at once, without finishing its look, and forgets its log-in at the portal.";
    if (await confirmed({ title: "Reset the bot?", text, yes: "Reset the bot" })) {
      await order("/api/bot/force-reset");
      store.say("The bot was reset.", "good");
    }
  }
}

/** Show checks, accepted, rejected, and what share was accepted. */
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
