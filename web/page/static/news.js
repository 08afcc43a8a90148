// What each frame changes of what the page knows, and which readings are out of date because of it.

import { describe } from "./events.js";
import { store } from "./store.js";

/** Topics of what is read over REST, of which frames say only that it has changed. */
const READ = ["tree-news", "session-news", "job-news", "health-news", "configuration-news"];
/** Types that a session's record has a line or a job about. */
const OF_RECORD = new Set(["job_processed", "login_success", "login_failed", "bot_started", "bot_stopped", "bot_error", "error", "metric_update"]);
/** What a session comes and goes with. */
const OF_LIFE = new Set(["bot_starting", "bot_started", "bot_stopped", "bot_error"]);

/** Take a frame in. */
export function hear(/** @type {import("./types.js").Frame} */ frame) {
  const { type, data } = frame;
  // What others tell through the house is no word of the house.
  if (!data.external) learn(frame);
  const entry = describe(frame);
  if (entry) store.note({ time: frame.timestamp, session: data.session_id ?? null, ...entry });
  if (data.missed || (type === "connection_established" && !data.resumed)) forgetRead();
}

/** Nobody knows what has changed meanwhile. */
function forgetRead() {
  store.serviceSince.clear();
  for (const topic of READ) store.touch(topic);
  for (const session of store.duty?.keys() ?? []) store.touch(`record:${session}`);
}

function learn(/** @type {import("./types.js").Frame} */ { type, data, timestamp }) {
  if (OF_RECORD.has(type) && data.session_id) store.touch(`record:${data.session_id}`);
  if (OF_LIFE.has(type)) store.touch("session-news");
  switch (type) {
    case "status_update":
      learnAll(data);
      break;
    case "status_change":
      learnSession(data.bot_status);
      break;
    case "queue_update":
      store.queue = data;
      store.touch("queue");
      break;
    case "job_processed":
    case "analytics_update":
      store.touch("job-news");
      break;
    case "supervisor_event":
      store.touch("tree-news");
      break;
    case "service_changed":
      store.serviceSince.set(data.name, timestamp);
      store.touch("health-news");
      break;
    case "connection_check":
      store.touch("health-news");
      break;
    case "configuration_updated":
    case "config_refresh_requested":
      store.touch("configuration-news");
      break;
  }
}

function learnAll(/** @type {any} */ data) {
  if (data.dashboard_metrics) store.metrics = data.dashboard_metrics;
  if (data.bot_status) store.bot = data.bot_status;
  if (data.sessions) {
    const all = /** @type {import("./types.js").BotStatus[]} */ (data.sessions).map(onDuty);
    store.duty = new Map(all.map((session) => [session.id, session]));
    store.touch("duty");
  }
  store.touch("bot");
}

function learnSession(/** @type {import("./types.js").BotStatus} */ status) {
  const duty = (store.duty ??= new Map());
  const session = onDuty(status);
  if (!duty.has(session.id)) store.touch("session-news");
  if (session.status === "stopped") {
    duty.delete(session.id);
    store.touch("session-news");
  } else duty.set(session.id, session);
  // The one that speaks for all does so as long as it is on duty; then status_update tells who does.
  if (!store.bot?.session_id || store.bot.session_id === session.id) store.bot = status;
  store.touch("duty");
  store.touch("bot");
}

/** @returns {import("./types.js").Session} */
function onDuty(/** @type {import("./types.js").BotStatus} */ status) {
  const { session_id, session_name, is_running: _, ...rest } = status;
  return { ...rest, id: session_id ?? "", session_name: session_name ?? "", end_time: null };
}
