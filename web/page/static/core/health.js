// The health of the services, read again when a frame says that it may have changed.

import { RequestError, request } from "./api.js";
import { reader } from "./reader.js";
import { store } from "./store.js";

const PAUSE = 1000;

/** @type {import("./types.js").Health | null} */
let latest = null;

let readAt = 0;

/** The last health that was read, or null. */
export const health = () => latest;

/** Whether the server has checked all services again since the last read. */
export const isDue = () => latest !== null && performance.now() - readAt > 1000 * (latest.check_interval || 0);

/** Replace the known health by a response of the server. */
export function updateHealth(/** @type {Partial<import("./types.js").Health>} */ response) {
  latest = { overall_status: "unknown", services: {}, check_interval: 0, ...latest, ...response };
  readAt = performance.now();
  store.publish("health");
}

const read = reader(async () => {
  try {
    updateHealth(await request("/health/detailed"));
  } catch (error) {
    // While the monitor does not reply, the error response lists the services as unknown.
    if (!(error instanceof RequestError && error.body?.services)) throw error;
    updateHealth(error.body);
  }
}, PAUSE);

/** Read now and after each change, and draw after each read, until the signal aborts. */
export function watchHealth(/** @type {() => void} */ draw, /** @type {AbortSignal} */ signal) {
  store.watch("health", draw, signal);
  store.watch("health-changed", read, signal);
}
