// Reads data again when it has changed, with a minimum pause between two reads.

import { RequestError, errorText } from "./api.js";

/**
 * Calls during a read, however many, cause one more read after it.
 * When the server names a time to retry (`Retry-After`), the data is read again then.
 *
 * @param {() => Promise<void>} read
 * @param {number} pause milliseconds between two reads
 * @param {(text: string) => void} [onResult] called with the error of each read, "" for success
 * @returns {() => Promise<void>}
 */
export function reader(read, pause, onResult = () => {}) {
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
      onResult("");
    } catch (error) {
      onResult(errorText(error));
      if (error instanceof RequestError && error.retryAfter !== null) {
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
