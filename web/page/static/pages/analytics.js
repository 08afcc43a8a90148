import { chart, hour, svg } from "../components/chart.js";
import { row, table } from "../components/table.js";
import { request } from "../core/api.js";
import { card, el, keyed, setFacts, setText } from "../core/dom.js";
import { LiveElement } from "../core/live-element.js";
import { reader } from "../core/reader.js";
import { store } from "../core/store.js";

/** @typedef {import("../core/types.js").Hour} Hour */

const PAUSE = 5000;
const SPANS = /** @type {const} */ ([[24, "24 hours"], [168, "7 days"]]);
const SERIES = [
  { name: "Accepted", class: "fill-good" },
  { name: "Rejected", class: "fill-calm" },
  { name: "Failed", class: "fill-bad" },
];
const COLUMNS = ["Hour", ...SERIES.map((one) => one.name)];
const MAX_LANGUAGES = 12;

/** Statistics of processed jobs: by hour and by language. */
class AnalyticsElement extends LiveElement {
  #hours = 24;
  /** @type {Hour[]} */
  #series = [];
  #statistics = el("dl", { class: "counters" });
  #error = el("p", { class: "notice" });
  #spans = el("div", { class: "tools", role: "group", "aria-label": "Time shown" });
  #chart = el("div", { class: "chart-box" });
  #table = table("Jobs by hour", COLUMNS, "plain");
  #languages = el("ul", { class: "bars", role: "list" });
  #empty = el("p", { class: "empty" }, "No jobs were processed in this period.");
  #read = reader(() => this.#readStatistics(), PAUSE, (text) => setText(this.#error, text));
  #size = new ResizeObserver(() => this.#drawChart());

  mount(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) this.#build();
    store.watch("jobs-changed", this.#read, signal);
    this.#size.observe(this.#chart);
    signal.addEventListener("abort", () => this.#size.disconnect());
  }

  #build() {
    for (const [hours, label] of SPANS) {
      const show = () => {
        this.#hours = hours;
        this.#markSpan();
        this.#readNow();
      };
      this.#spans.append(el("button", { type: "button", class: "small", value: String(hours), click: show }, label));
    }
    this.#markSpan();
    const legend = SERIES.map((one) => el("li", {}, svg("svg", { width: 12, height: 12, "aria-hidden": "true" }, svg("rect", { width: 12, height: 12, rx: 3, class: one.class })), one.name));
    this.append(
      card("Jobs", this.#spans, this.#error, this.#statistics),
      card(
        "By hour",
        el("ul", { class: "legend", role: "list" }, ...legend),
        this.#chart,
        el("details", {}, el("summary", {}, "Show as a table"), this.#table.element),
      ),
      card("Languages", this.#empty, this.#languages),
    );
  }

  #markSpan() {
    for (const button of this.#spans.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.value === String(this.#hours)));
    }
  }

  /** Read without the pause between two reads: the user chose another period. */
  async #readNow() {
    try {
      await this.#readStatistics();
    } catch {
      this.#read();
    }
  }

  async #readStatistics() {
    const hours = this.#hours;
    const [statistics, series] = await Promise.all([
      request(`/api/bot/analytics?hours=${hours}`),
      request(`/api/bot/analytics/hourly?hours=${hours}`),
    ]);
    // The user chose another period meanwhile.
    if (hours !== this.#hours) return;
    this.#series = series.hours;
    this.#drawStatistics(statistics);
    this.#drawChart();
    const newestFirst = [...this.#series].reverse();
    keyed(this.#table.body, newestFirst, (one) => one.hour, makeHour, updateHour);
  }

  #drawStatistics(/** @type {import("../core/types.js").Analytics} */ statistics) {
    setFacts(this.#statistics, [
      ["Processed", statistics.total_jobs_processed.toLocaleString()],
      ["Accepted", statistics.jobs_accepted.toLocaleString()],
      ["Rejected", statistics.jobs_rejected.toLocaleString()],
      ["Failed", statistics.jobs_failed.toLocaleString()],
      ["Outcome unknown", statistics.jobs_open.toLocaleString()],
      ["Acceptance rate", `${statistics.acceptance_rate.toFixed(1)} %`],
    ]);
    const languages = Object.entries(statistics.language_distribution).sort(([, a], [, b]) => b - a);
    const rest = languages.slice(MAX_LANGUAGES).reduce((sum, [, count]) => sum + count, 0);
    const shown = [...languages.slice(0, MAX_LANGUAGES), ...(rest ? [/** @type {[string, number]} */ (["others", rest])] : [])];
    const max = Math.max(1, ...shown.map(([, count]) => count));
    this.#empty.hidden = shown.length > 0;
    keyed(this.#languages, shown, ([name]) => name, makeLanguage, (element, [, count]) => {
      setText(element.children[1], count.toLocaleString());
      element.querySelector("rect")?.setAttribute("width", `${(100 * count) / max}%`);
    });
  }

  #drawChart() {
    const width = Math.floor(this.#chart.clientWidth);
    if (!width || !this.#series.length) return;
    const bars = this.#series.map((one) => ({ start: new Date(one.hour), values: valuesOf(one) }));
    const label = `Jobs by hour, last ${this.#hours} hours; the table below has the numbers`;
    this.#chart.replaceChildren(chart({ label, width, series: SERIES, bars }));
  }
}

const valuesOf = (/** @type {Hour} */ one) => [one.jobs_accepted, one.jobs_rejected, one.jobs_failed];

function makeHour(/** @type {Hour} */ one) {
  const start = new Date(one.hour);
  return row(COLUMNS, [`${start.toLocaleDateString()} ${hour(start)}`, "", "", ""]);
}

function updateHour(/** @type {HTMLElement} */ element, /** @type {Hour} */ one) {
  valuesOf(one).forEach((value, i) => setText(element.children[i + 1], value.toLocaleString()));
}

function makeLanguage(/** @type {[string, number]} */ [name]) {
  const bar = svg("svg", { class: "bar", width: "100%", height: 8, "aria-hidden": "true" }, svg("rect", { height: 8, rx: 4, class: "fill-accent" }));
  return el("li", {}, el("span", {}, name || "unknown"), el("span", { class: "quiet" }), bar);
}

customElements.define("bv-analytics", AnalyticsElement);
