// Creates and updates DOM elements. Never parses HTML, so that no text from outside becomes markup.

/**
 * Create an element.
 *
 * @param {string} tag
 * @param {Record<string, string | boolean | EventListener>} [attributes] a function is added as a listener of the event with that name
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

/** Set a text only if it differs, so as not to disturb screen readers and selections. */
export function setText(/** @type {Element} */ element, /** @type {string} */ text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show labelled values; labels without a value are left out. */
export function setFacts(/** @type {HTMLElement} */ list, /** @type {[string, string | null | undefined][]} */ facts) {
  const present = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  keyed(list, present, ([label]) => label, ([label]) => el("div", {}, el("dt", {}, label), el("dd")), (element, [, value]) => {
    setText(/** @type {Element} */ (element.lastElementChild), value ?? "");
  });
}

/** Show a state as a word; the tone adds the colour. */
export function setState(/** @type {HTMLElement} */ element, /** @type {string} */ word, /** @type {string} */ tone) {
  setText(element, word);
  if (element.dataset.tone !== tone) element.dataset.tone = tone;
}

/**
 * Keep one child per key, in the order of the items. Children whose key stays are updated in place.
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

/** Format a duration in its two largest units. */
export function formatDuration(/** @type {number} */ seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
  return `${Math.floor(whole / 86400)}d ${Math.floor((whole % 86400) / 3600)}h`;
}

/** Format a time of day, with the date unless it is today. */
export function formatTime(/** @type {string} */ text) {
  const time = new Date(text);
  const today = time.toDateString() === new Date().toDateString();
  return today ? formatClock(time) : `${time.toLocaleDateString()} ${formatClock(time)}`;
}

/** A section of a page with a heading. */
export function card(/** @type {string} */ title, /** @type {(Node | string)[]} */ ...children) {
  const id = `card-${++cards}`;
  return el("section", { class: "card", "aria-labelledby": id }, el("h2", { id }, title), ...children);
}

let cards = 0;

/** Format a time of day. */
export function formatClock(/** @type {string | number | Date} */ time) {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}
