// Frames as lines for people. What has no line is shown elsewhere on the page, or is of no use to them.

/** @type {Record<string, string>} */
const STATE_TONES = { running: "good", starting: "busy", stopping: "busy", backoff: "wait", failed: "bad", stopped: "calm" };
/** @type {Record<string, string>} */
const TASK_TONES = { delayed: "wait", running: "busy", completed: "good", failed: "bad", dead: "bad" };
/** @type {Record<string, string>} */
const LOGIN_TONES = { success: "good", attempting: "busy", failed: "bad" };
/** @type {Record<string, string>} */
const JOB_TONES = { accepted: "good", rejected: "calm", failed: "bad" };
/** @type {Record<string, string>} */
const SERVICE_TONES = { healthy: "good", unhealthy: "bad", disconnected: "bad", degraded: "wait", partial: "wait", error: "bad" };

export const toneOf = (/** @type {string} */ state) => STATE_TONES[state] ?? "calm";
export const taskTone = (/** @type {string} */ state) => TASK_TONES[state] ?? "calm";
export const loginTone = (/** @type {string} */ state) => LOGIN_TONES[state] ?? "calm";
export const jobTone = (/** @type {string} */ status) => JOB_TONES[status] ?? "wait";
export const serviceTone = (/** @type {string} */ status) => SERVICE_TONES[status] ?? "calm";

/** @typedef {{ word: string, tone: string, text: string, more?: string }} Line */

/**
 * @param {import("./types.js").Frame} frame
 * @returns {Line | null}
 */
export function describe({ type, data }) {
  if (data.external) return { word: "outside", tone: "calm", text: String(data.message ?? type) };
  switch (type) {
    case "job_processed":
      return job(data);
    case "supervisor_event":
      return supervised(data);
    case "error":
      return { word: "trouble", tone: "wait", text: data.message };
    case "status_update":
      return data.missed ? { word: "gap", tone: "wait", text: `${data.missed} events were skipped: this page was too slow` } : null;
    case "connection_established":
      return data.gap ? { word: "gap", tone: "wait", text: "Some events were missed while the page was away" } : null;
    case "login_success":
      return { word: "login", tone: "good", text: "Signed in at the portal" };
    case "login_failed":
      return { word: "login", tone: "bad", text: data.message ?? "The portal refused the login" };
    case "bot_started":
      return { word: "session", tone: "good", text: `${data.session_name ?? "The session"} began to work` };
    case "bot_stopped":
      return { word: "session", tone: "calm", text: `${data.session_name ?? "The session"} was stopped` };
    case "bot_error":
      return { word: "session", tone: "bad", text: data.message ?? "The session failed" };
    case "connection_check":
      // Trouble is told by an event of its own.
      return data.status === "connected" ? { word: "portal", tone: "good", text: data.message } : null;
    case "service_changed":
      return { word: data.status, tone: serviceTone(data.status), text: data.message };
    case "configuration_updated":
      return { word: "rules", tone: "busy", text: data.message };
    default:
      return null;
  }
}

/** @returns {Line} */
function job(/** @type {any} */ data) {
  const about = [data.job_ref, data.language, data.job_type, data.duration].filter(Boolean).join(" · ");
  return { word: data.status, tone: jobTone(data.status), text: about, more: data.reason ?? "" };
}

/** @returns {Line} */
function supervised(/** @type {any} */ data) {
  const parts = [data.path.replace(/^[^/]+\//, "")];
  if (data.delay !== null) parts.push(`starts again in ${data.delay.toFixed(1)} s`);
  if (data.restarts) parts.push(data.restarts === 1 ? "restarted once" : `restarted ${data.restarts} times`);
  return { word: data.state, tone: toneOf(data.state), text: parts.join(" · "), more: data.error ?? "" };
}
