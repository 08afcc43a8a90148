// Tables that adapt to narrow screens. Roles are set explicitly, because changing `display` in CSS removes them.

import { el } from "../core/dom.js";

/**
 * Create a table and return it with its body.
 *
 * @param {string} label
 * @param {string[]} columns
 * @param {"cards" | "flow" | "plain"} narrow layout on narrow screens: labelled cards, flowing lines, or unchanged
 */
export function table(label, columns, narrow) {
  const body = el("tbody", { role: "rowgroup" });
  const heads = columns.map((column) => el("th", { role: "columnheader", scope: "col" }, column));
  const head = el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads));
  return { element: el("table", { class: `table ${narrow}`, role: "table", "aria-label": label }, head, body), body };
}

/**
 * Create a row.
 *
 * @param {string[]} columns
 * @param {(Node | string)[]} cells
 */
export function row(columns, cells) {
  return el("tr", { role: "row" }, ...cells.map((cell, i) => el("td", { role: "cell", "data-label": columns[i] }, cell)));
}
