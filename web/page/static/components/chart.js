// A stacked bar chart over time, with axes. Screen readers get its data from the table next to it.

const HEIGHT = 220;
const LEFT = 44;
const BOTTOM = 26;
const TOP = 10;
/** The width of a label below the axis, with some room around it. */
const LABEL = 56;

/**
 * @typedef {{ name: string, class: string }} Series
 * @typedef {{ start: Date, values: number[] }} Bar
 */

/**
 * Draw a chart of the given width. Each bar has one value per series.
 *
 * @param {{ label: string, width: number, series: Series[], bars: Bar[] }} chart
 * @returns {SVGElement}
 */
export function chart({ label, width, series, bars }) {
  const inside = { width: width - LEFT, height: HEIGHT - TOP - BOTTOM };
  const max = Math.max(1, ...bars.map((bar) => sum(bar.values)));
  const steps = ticks(max);
  const top = /** @type {number} */ (steps.at(-1));
  const y = (/** @type {number} */ value) => TOP + inside.height * (1 - value / top);
  const step = inside.width / bars.length;
  const x = (/** @type {number} */ i) => LEFT + i * step;
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": label, class: "chart" },
    ...steps.flatMap((value) => [
      svg("line", { x1: LEFT, x2: width, y1: y(value), y2: y(value), class: value ? "grid" : "axis" }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, value.toLocaleString()),
    ]),
    ...bars.map((bar, i) => drawBar(bar, series, x(i), step, y)),
    ...hourLabels(bars, Math.floor(inside.width / LABEL)).map(({ i, text }) => {
      // Keep the last label inside the chart.
      const middle = Math.min(x(i) + step / 2, width - LABEL / 2);
      return svg("text", { x: middle, y: HEIGHT - 8, "text-anchor": "middle" }, text);
    }),
  );
}

function drawBar(/** @type {Bar} */ bar, /** @type {Series[]} */ series, /** @type {number} */ x, /** @type {number} */ step, /** @type {(value: number) => number} */ y) {
  let below = 0;
  const gap = step > 6 ? step * 0.15 : 0.5;
  const parts = series.map((one, i) => {
    const from = below;
    below += bar.values[i];
    return svg("rect", { x: x + gap / 2, width: step - gap, y: y(below), height: y(from) - y(below), class: one.class });
  });
  const title = `${hour(bar.start)}: ${series.map((one, i) => `${bar.values[i]} ${one.name.toLowerCase()}`).join(", ")}`;
  return svg("g", {}, svg("title", {}, title), ...parts);
}

/** The bars to label below the axis: whole days if there are many, and no more than fit. */
function hourLabels(/** @type {Bar[]} */ bars, /** @type {number} */ limit) {
  const days = bars.length > 48;
  const every = days ? 24 : [1, 2, 3, 4, 6, 12].find((hours) => bars.length / hours <= limit) ?? 12;
  const labels = bars.flatMap(({ start }, i) => {
    if (start.getHours() % every !== 0) return [];
    return [{ i, text: days ? start.toLocaleDateString([], { day: "numeric", month: "short" }) : hour(start) }];
  });
  return labels.filter((_, n) => n % Math.ceil(labels.length / Math.max(1, limit)) === 0);
}

/** Round axis values from zero to at least the maximum, few enough to read. */
export function ticks(/** @type {number} */ max) {
  const rough = max / 4;
  const unit = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  const step = /** @type {number} */ ([1, 2, 5, 10].map((n) => n * unit).find((size) => size >= rough));
  return Array.from({ length: Math.ceil(max / step) + 1 }, (_, i) => i * step);
}

/** Format the start of an hour. */
export function hour(/** @type {Date} */ start) {
  return start.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
}

const sum = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b, 0);

/**
 * Create an SVG element.
 *
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} children
 */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}
