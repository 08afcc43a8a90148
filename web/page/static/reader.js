// Reading again and again what frames say has changed, without asking for every frame.

import { Refused, sentence } from "./api.js";

/**
 * However often the returned function is called while a read is under way, it is read once more after that.
 * Where the server says when to come back, it is read again then.
 *
 * @param {() => Promise<void>} read
 * @param {number} pause milliseconds between two reads
 * @param {(sentence: string) => void} [failed] told why a read failed, and "" when one did not
 * @returns {() => Promise<void>}
 */
export function reader(read, pause, failed = () => {}) {
  let reading = false;
  let stale = false;
  return async function again() {
    if (reading) {
      stale = true;
      return;
    }
    reading = true;
    let wait = pause;
    try {
      await read();
      failed("");
    } catch (error) {
      failed(sentence(error));
      if (error instanceof Refused && error.retryAfter !== null) {
        stale = true;
        wait = Math.max(wait, error.retryAfter * 1000);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    reading = false;
    if (stale) {
      stale = false;
      again();
    }
  };
}
