// Describes frames as lines of the event log, and maps states to tones.

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

/** @typedef {{ label: string, tone: string, text: string, more?: string }} Line */

/**
 * Describe a frame as a line of the event log, or return null for frames that the log does not show.
 *
 * @param {import("./types.js").Frame} frame
 * @returns {Line | null}
 */
export function describeFrame({ type, data }) {
  if (data.external) return { label: "external", tone: "calm", text: String(data.message ?? type) };
  switch (type) {
    case "job_processed":
      return job(data);
    case "supervisor_event":
      return supervisor(data);
    case "error":
      return { label: "degraded", tone: "wait", text: data.message };
    case "status_update":
      return data.missed ? { label: "gap", tone: "wait", text: `${data.missed} events were skipped because this page was too slow` } : null;
    case "connection_established":
      return data.gap ? { label: "gap", tone: "wait", text: "Some events were missed while the page was disconnected" } : null;
    case "login_success":
      return { label: "login", tone: "good", text: "Signed in to the portal" };
    case "login_failed":
      return { label: "login", tone: "bad", text: data.message ?? "The portal rejected the login" };
    case "bot_started":
      return { label: "session", tone: "good", text: `${data.session_name ?? "The session"} started` };
    case "bot_stopped":
      return { label: "session", tone: "calm", text: `${data.session_name ?? "The session"} stopped` };
    case "bot_error":
      return { label: "session", tone: "bad", text: data.message ?? "The session failed" };
    case "connection_check":
      // An error has an event of its own.
      return data.status === "connected" ? { label: "portal", tone: "good", text: data.message } : null;
    case "service_changed":
      return { label: data.status, tone: serviceTone(data.status), text: data.message };
    case "configuration_updated":
      return { label: "config", tone: "busy", text: data.message };
    default:
      return null;
  }
}

/** @returns {Line} */
function job(/** @type {any} */ data) {
  const text = [data.job_ref, data.language, data.job_type, data.duration].filter(Boolean).join(" · ");
  return { label: data.status, tone: jobTone(data.status), text, more: data.reason ?? "" };
}

/** @returns {Line} */
function supervisor(/** @type {any} */ data) {
  const parts = [data.path.replace(/^[^/]+\//, "")];
  if (data.delay !== null) parts.push(`restarts in ${data.delay.toFixed(1)} s`);
  if (data.restarts) parts.push(data.restarts === 1 ? "restarted once" : `restarted ${data.restarts} times`);
  return { label: data.state, tone: toneOf(data.state), text: parts.join(" · "), more: data.error ?? "" };
}
