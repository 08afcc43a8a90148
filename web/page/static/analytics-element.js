import { ask } from "./api.js";
import { chart, hour, svg } from "./chart.js";
import { card, el, keyed, setFacts, setText } from "./dom.js";
import { LiveElement } from "./live-element.js";
import { reader } from "./reader.js";
import { store } from "./store.js";
import { row, table } from "./table.js";

/** @typedef {import("./types.js").Hour} Hour */

const PAUSE = 5000;
const SPANS = /** @type {const} */ ([[24, "24 hours"], [168, "7 days"]]);
const SERIES = [
  { name: "Accepted", class: "fill-good" },
  { name: "Rejected", class: "fill-calm" },
  { name: "Failed", class: "fill-bad" },
];
const COLUMNS = ["Hour", ...SERIES.map((one) => one.name)];
const LANGUAGES = 12;

/** What came of the work: by the hour, and by language. */
class AnalyticsElement extends LiveElement {
  #hours = 24;
  /** @type {Hour[]} */
  #series = [];
  #figures = el("dl", { class: "counters" });
  #error = el("p", { class: "notice" });
  #spans = el("div", { class: "tools", role: "group", "aria-label": "Time shown" });
  #chart = el("div", { class: "chart-box" });
  #table = table("Jobs by the hour", COLUMNS, "plain");
  #languages = el("ul", { class: "bars", role: "list" });
  #nothing = el("p", { class: "empty" }, "No job was decided on in this time.");
  #read = reader(() => this.#readFigures(), PAUSE, (sentence) => setText(this.#error, sentence));
  #size = new ResizeObserver(() => this.#drawChart());

  live(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) this.#build();
    store.watch("job-news", this.#read, signal);
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
      card("Jobs", this.#spans, this.#error, this.#figures),
      card(
        "By the hour",
        el("ul", { class: "legend", role: "list" }, ...legend),
        this.#chart,
        el("details", {}, el("summary", {}, "The same as a table"), this.#table.element),
      ),
      card("Languages", this.#nothing, this.#languages),
    );
  }

  #markSpan() {
    for (const button of this.#spans.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.value === String(this.#hours)));
    }
  }

  /** Whoever asks for other hours does not wait for the next turn. */
  async #readNow() {
    try {
      await this.#readFigures();
    } catch {
      this.#read();
    }
  }

  async #readFigures() {
    const hours = this.#hours;
    const [figures, series] = await Promise.all([
      ask(`/api/bot/analytics?hours=${hours}`),
      ask(`/api/bot/analytics/hourly?hours=${hours}`),
    ]);
    // Other hours were chosen meanwhile.
    if (hours !== this.#hours) return;
    this.#series = series.hours;
    this.#drawFigures(figures);
    this.#drawChart();
    const newestFirst = [...this.#series].reverse();
    keyed(this.#table.body, newestFirst, (one) => one.hour, makeHour, updateHour);
  }

  #drawFigures(/** @type {import("./types.js").Analytics} */ figures) {
    setFacts(this.#figures, [
      ["Decided", figures.total_jobs_processed.toLocaleString()],
      ["Accepted", figures.jobs_accepted.toLocaleString()],
      ["Rejected", figures.jobs_rejected.toLocaleString()],
      ["Failed", figures.jobs_failed.toLocaleString()],
      ["Outcome open", figures.jobs_open.toLocaleString()],
      ["Acceptance rate", `${figures.acceptance_rate.toFixed(1)} %`],
    ]);
    const spoken = Object.entries(figures.language_distribution).sort(([, a], [, b]) => b - a);
    const rest = spoken.slice(LANGUAGES).reduce((sum, [, count]) => sum + count, 0);
    const shown = [...spoken.slice(0, LANGUAGES), ...(rest ? [/** @type {[string, number]} */ (["all others", rest])] : [])];
    const most = Math.max(1, ...shown.map(([, count]) => count));
    this.#nothing.hidden = shown.length > 0;
    keyed(this.#languages, shown, ([name]) => name, makeLanguage, (element, [, count]) => {
      setText(element.children[1], count.toLocaleString());
      element.querySelector("rect")?.setAttribute("width", `${(100 * count) / most}%`);
    });
  }

  #drawChart() {
    const width = Math.floor(this.#chart.clientWidth);
    if (!width || !this.#series.length) return;
    const bars = this.#series.map((one) => ({ start: new Date(one.hour), values: valuesOf(one) }));
    const label = `Jobs by the hour, the last ${this.#hours} hours; the table below has the figures`;
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
  return el("li", {}, el("span", {}, name || "not said"), el("span", { class: "quiet" }), bar);
}

customElements.define("bv-analytics", AnalyticsElement);
