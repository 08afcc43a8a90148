// One WebSocket that comes back by itself, and says where it was so that nothing is told twice or not at all.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

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
    // Whoever comes back to the page or to the network wants it now.
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
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
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures++);
    // Spread out, so that many pages do not come back in step.
    this.#timer = setTimeout(() => this.open(), wait * (0.8 + 0.4 * Math.random()));
  }

  #hurry() {
    if (this.#socket?.readyState !== WebSocket.CLOSED) return;
    clearTimeout(this.#timer);
    this.open();
  }
}
