// The base class of elements that show changing data.

/** An element that watches the store only while it is in the document. Its children stay when it is removed. */
export class LiveElement extends HTMLElement {
  #abort = new AbortController();

  connectedCallback() {
    this.#abort = new AbortController();
    this.mount(this.#abort.signal);
  }

  disconnectedCallback() {
    this.#abort.abort();
  }

  /** Build the children if they are missing, and watch the store until the signal aborts. */
  mount(/** @type {AbortSignal} */ _signal) {}
}

/** Call each second while the page is visible, for durations that grow without an event. */
export function eachSecond(/** @type {() => void} */ draw, /** @type {AbortSignal} */ signal) {
  const timer = setInterval(() => document.hidden || draw(), 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
}
