// Stacked bars over time, with axes. Whoever does not see them reads the table beside them.

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
 * Draw bars into a picture as wide as said, one value of each bar for each series.
 *
 * @param {{ label: string, width: number, series: Series[], bars: Bar[] }} chart
 * @returns {SVGElement}
 */
export function chart({ label, width, series, bars }) {
  const inside = { width: width - LEFT, height: HEIGHT - TOP - BOTTOM };
  const most = Math.max(1, ...bars.map((bar) => sum(bar.values)));
  const steps = ticks(most);
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
      // The last one must not be cut off.
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
  const told = `${hour(bar.start)}: ${series.map((one, i) => `${bar.values[i]} ${one.name.toLowerCase()}`).join(", ")}`;
  return svg("g", {}, svg("title", {}, told), ...parts);
}

/** A few bars to name below the axis: whole days where there are many, and never more than there is room for. */
function hourLabels(/** @type {Bar[]} */ bars, /** @type {number} */ room) {
  const days = bars.length > 48;
  const every = days ? 24 : [1, 2, 3, 4, 6, 12].find((hours) => bars.length / hours <= room) ?? 12;
  const named = bars.flatMap(({ start }, i) => {
    if (start.getHours() % every !== 0) return [];
    return [{ i, text: days ? start.toLocaleDateString([], { day: "numeric", month: "short" }) : hour(start) }];
  });
  return named.filter((_, n) => n % Math.ceil(named.length / Math.max(1, room)) === 0);
}

/** Round values from zero to at least the most, few enough to be read. */
export function ticks(/** @type {number} */ most) {
  const rough = most / 4;
  const unit = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  const step = /** @type {number} */ ([1, 2, 5, 10].map((n) => n * unit).find((size) => size >= rough));
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step);
}

export function hour(/** @type {Date} */ start) {
  return start.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
}

const sum = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b, 0);

/**
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
