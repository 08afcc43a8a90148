// Elements without ever parsing HTML, so that nothing from outside can become markup.

/**
 * @param {string} tag
 * @param {Record<string, string | boolean | EventListener>} [attributes] a function listens to the event of its name
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Change a text only where it differs: screen readers and selections are left in peace. */
export function setText(/** @type {Element} */ element, /** @type {string} */ text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show what there is of labelled values, each as long as it has one. */
export function setFacts(/** @type {HTMLElement} */ list, /** @type {[string, string | null | undefined][]} */ facts) {
  const there = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  keyed(list, there, ([label]) => label, ([label]) => el("div", {}, el("dt", {}, label), el("dd")), (element, [, value]) => {
    setText(/** @type {Element} */ (element.lastElementChild), value ?? "");
  });
}

/** Show a state by its word; the tone adds the colour. */
export function setState(/** @type {HTMLElement} */ element, /** @type {string} */ word, /** @type {string} */ tone) {
  setText(element, word);
  if (element.dataset.tone !== tone) element.dataset.tone = tone;
}

/**
 * Keep one child per key, in the order of the items; what stays is updated in place.
 *
 * @template T
 * @param {HTMLElement} parent
 * @param {T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => HTMLElement} make
 * @param {(element: HTMLElement, item: T) => void} update
 */
export function keyed(parent, items, keyOf, make, update) {
  const before = new Map();
  for (const child of /** @type {HTMLElement[]} */ ([...parent.children])) before.set(child.dataset.key, child);
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let element = before.get(key);
    if (element) before.delete(key);
    else {
      element = make(item);
      element.dataset.key = key;
    }
    update(element, item);
    if (place && element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const gone of before.values()) gone.remove();
}

/** A length of time in its two largest units. */
export function span(/** @type {number} */ seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
  return `${Math.floor(whole / 86400)}d ${Math.floor((whole % 86400) / 3600)}h`;
}

/** A time of day, with its date where that is not today. */
export function moment(/** @type {string} */ text) {
  const then = new Date(text);
  const today = then.toDateString() === new Date().toDateString();
  return today ? clock(then) : `${then.toLocaleDateString()} ${clock(then)}`;
}

/** A part of a page under a heading of its own. */
export function card(/** @type {string} */ title, /** @type {(Node | string)[]} */ ...children) {
  const id = `card-${++cards}`;
  return el("section", { class: "card", "aria-labelledby": id }, el("h2", { id }, title), ...children);
}

let cards = 0;

export function clock(/** @type {string | number | Date} */ moment) {
  return new Date(moment).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}
