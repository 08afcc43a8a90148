// Tables, and what becomes of them on a narrow screen. Their roles are said, since CSS that lays them out anew takes them away.

import { el } from "./dom.js";

/**
 * @param {string} label
 * @param {string[]} columns
 * @param {"cards" | "flow" | "plain"} narrow each row becomes a card with labels, or a few lines; or nothing changes
 */
export function table(label, columns, narrow) {
  const body = el("tbody", { role: "rowgroup" });
  const heads = columns.map((column) => el("th", { role: "columnheader", scope: "col" }, column));
  const head = el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads));
  return { element: el("table", { class: `table ${narrow}`, role: "table", "aria-label": label }, head, body), body };
}

/**
 * @param {string[]} columns
 * @param {(Node | string)[]} cells
 */
export function row(columns, cells) {
  return el("tr", { role: "row" }, ...cells.map((cell, i) => el("td", { role: "cell", "data-label": columns[i] }, cell)));
}
