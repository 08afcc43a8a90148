// Applies WebSocket frames to the store, and invalidates data that is read over REST.

import { describeFrame } from "./events.js";
import { store } from "./store.js";

/** Topics of data read over REST: a frame only says that it changed. */
const REST_TOPICS = ["tree-changed", "sessions-changed", "jobs-changed", "health-changed", "configuration-changed"];
/** Frame types that add a line or a job to a session's history. */
const HISTORY_TYPES = new Set(["job_processed", "login_success", "login_failed", "bot_started", "bot_stopped", "bot_error", "error", "metric_update"]);
/** Frame types that start or end a session. */
const LIFECYCLE_TYPES = new Set(["bot_starting", "bot_started", "bot_stopped", "bot_error"]);

/** Handle one frame: update the store and the log of events. */
export function handleFrame(/** @type {import("./types.js").Frame} */ frame) {
  const { type, data } = frame;
  // Frames that outside programs send through the API change no state of botvisor.
  if (!data.external) apply(frame);
  const entry = describeFrame(frame);
  if (entry) store.addEntry({ time: frame.timestamp, session: data.session_id ?? null, ...entry });
  if (data.missed || (type === "connection_established" && !data.resumed)) invalidate();
}

/** Read everything again: changes may have been missed. */
function invalidate() {
  store.serviceSince.clear();
  for (const topic of REST_TOPICS) store.publish(topic);
  for (const session of store.running?.keys() ?? []) store.publish(`history:${session}`);
}

function apply(/** @type {import("./types.js").Frame} */ { type, data, timestamp }) {
  if (HISTORY_TYPES.has(type) && data.session_id) store.publish(`history:${data.session_id}`);
  if (LIFECYCLE_TYPES.has(type)) store.publish("sessions-changed");
  switch (type) {
    case "status_update":
      applyStatus(data);
      break;
    case "status_change":
      applySession(data.bot_status);
      break;
    case "queue_update":
      store.queue = data;
      store.publish("queue");
      break;
    case "job_processed":
    case "analytics_update":
      store.publish("jobs-changed");
      break;
    case "supervisor_event":
      store.publish("tree-changed");
      break;
    case "service_changed":
      store.serviceSince.set(data.name, timestamp);
      store.publish("health-changed");
      break;
    case "connection_check":
      store.publish("health-changed");
      break;
    case "configuration_updated":
    case "config_refresh_requested":
      store.publish("configuration-changed");
      break;
  }
}

function applyStatus(/** @type {any} */ data) {
  if (data.dashboard_metrics) store.metrics = data.dashboard_metrics;
  if (data.bot_status) store.bot = data.bot_status;
  if (data.sessions) {
    const all = /** @type {import("./types.js").BotStatus[]} */ (data.sessions).map(sessionOf);
    store.running = new Map(all.map((session) => [session.id, session]));
    store.publish("running");
  }
  store.publish("bot");
}

function applySession(/** @type {import("./types.js").BotStatus} */ status) {
  const running = (store.running ??= new Map());
  const session = sessionOf(status);
  if (!running.has(session.id)) store.publish("sessions-changed");
  if (session.status === "stopped") {
    running.delete(session.id);
    store.publish("sessions-changed");
  } else running.set(session.id, session);
  // The bot's status is that of one session while it runs; then status_update names the next one.
  if (!store.bot?.session_id || store.bot.session_id === session.id) store.bot = status;
  store.publish("running");
  store.publish("bot");
}

/** @returns {import("./types.js").Session} */
function sessionOf(/** @type {import("./types.js").BotStatus} */ status) {
  const { session_id, session_name, is_running: _, ...rest } = status;
  return { ...rest, id: session_id ?? "", session_name: session_name ?? "", end_time: null };
}
