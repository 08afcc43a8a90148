// How the services are, read when frames say that it may have changed.

import { ask, Refused } from "./api.js";
import { reader } from "./reader.js";
import { store } from "./store.js";

const PAUSE = 1000;

/** @type {import("./types.js").Health | null} */
let latest = null;

let readAt = 0;

/** The services as they were last read; null before. */
export const health = () => latest;

/** Whether all services were looked at anew since they were read. */
export const isDue = () => latest !== null && performance.now() - readAt > 1000 * (latest.check_interval || 0);

export function learnHealth(/** @type {Partial<import("./types.js").Health>} */ read) {
  latest = { overall_status: "unknown", services: {}, check_interval: 0, ...latest, ...read };
  readAt = performance.now();
  store.touch("health");
}

const read = reader(async () => {
  try {
    learnHealth(await ask("/health/detailed"));
  } catch (error) {
    // Where the monitor is mute the answer says so, service by service.
    if (!(error instanceof Refused && error.body?.services)) throw error;
    learnHealth(error.body);
  }
}, PAUSE);

/** Read now and at each word about the services, and draw what was read, until the signal aborts. */
export function watchHealth(/** @type {() => void} */ draw, /** @type {AbortSignal} */ signal) {
  store.watch("health", draw, signal);
  store.watch("health-news", read, signal);
}
