// A WebSocket that reconnects by itself and resumes after the last frame received, so that no frame is lost or repeated.

const MIN_DELAY = 500;
const MAX_DELAY = 15_000;

export class LiveSocket {
  #epoch = "";
  #seq = 0;
  #failures = 0;
  #onFrame;
  #onState;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {WebSocket | undefined} */
  #socket;

  /**
   * @param {(frame: { type: string, data: any, timestamp: string }) => void} onFrame
   * @param {(state: "connecting" | "open" | "lost") => void} onState
   */
  constructor(onFrame, onState) {
    this.#onFrame = onFrame;
    this.#onState = onState;
    // Reconnect at once when the network or the page comes back.
    addEventListener("online", () => this.#reconnectNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.#reconnectNow());
  }

  open() {
    const address = new URL("/ws", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (this.#epoch) address.searchParams.set("since", `${this.#epoch}:${this.#seq}`);
    const socket = (this.#socket = new WebSocket(address));
    socket.addEventListener("message", (message) => this.#read(message.data));
    socket.addEventListener("close", () => this.#retry());
  }

  #read(/** @type {string} */ text) {
    const frame = JSON.parse(text);
    if (frame.type === "connection_established") {
      this.#failures = 0;
      this.#epoch = frame.epoch;
      this.#onState("open");
    }
    this.#seq = frame.seq;
    this.#onFrame(frame);
  }

  #retry() {
    this.#onState("lost");
    const delay = Math.min(MAX_DELAY, MIN_DELAY * 2 ** this.#failures++);
    // Jitter, so that many pages do not reconnect at the same time.
    this.#timer = setTimeout(() => this.open(), delay * (0.8 + 0.4 * Math.random()));
  }

  #reconnectNow() {
    if (this.#socket?.readyState !== WebSocket.CLOSED) return;
    clearTimeout(this.#timer);
    this.open();
  }
}
