// What all elements that show changing things have in common.

/** An element that watches while it is on the page, and only then. What it built stays when it leaves. */
export class LiveElement extends HTMLElement {
  #abort = new AbortController();

  connectedCallback() {
    this.#abort = new AbortController();
    this.live(this.#abort.signal);
  }

  disconnectedCallback() {
    this.#abort.abort();
  }

  /** Build what is missing, and watch until the signal aborts. */
  live(/** @type {AbortSignal} */ _signal) {}
}

/** Call each second while somebody looks: for times that grow without anybody telling. */
export function eachSecond(/** @type {() => void} */ draw, /** @type {AbortSignal} */ signal) {
  const timer = setInterval(() => document.hidden || draw(), 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
}
