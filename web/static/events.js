// Frames as lines for people. What has no line is shown elsewhere on the page, or is of no use to them.

const STATE_TONES = { running: "good", starting: "busy", stopping: "busy", backoff: "wait", failed: "bad", stopped: "calm" };
const TASK_TONES = { delayed: "wait", running: "busy", completed: "good", failed: "bad", dead: "bad" };

export function toneOf(/** @type {string} */ state) {
  return STATE_TONES[/** @type {keyof typeof STATE_TONES} */ (state)] ?? "calm";
}

export function taskTone(/** @type {string} */ state) {
  return TASK_TONES[/** @type {keyof typeof TASK_TONES} */ (state)] ?? "calm";
}

/**
 * @param {{ type: string, data: any }} frame
 * @returns {{ word: string, tone: string, text: string, more?: string } | null}
 */
export function describe({ type, data }) {
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
      return { word: "session", tone: "good", text: "The session began to work" };
    case "bot_stopped":
      return { word: "session", tone: "calm", text: `${data.session_name ?? "The session"} was stopped` };
    case "bot_error":
      return { word: "session", tone: "bad", text: data.message ?? "The session failed" };
    default:
      return null;
  }
}

function job(/** @type {any} */ data) {
  const tone = { accepted: "good", rejected: "calm" }[/** @type {string} */ (data.status)] ?? "wait";
  const about = [data.job_ref, data.language, data.job_type, data.duration].filter(Boolean).join(" · ");
  return { word: data.status, tone, text: about, more: data.reason ?? "" };
}

function supervised(/** @type {any} */ data) {
  const parts = [data.path.replace(/^[^/]+\//, "")];
  if (data.delay !== null) parts.push(`starts again in ${data.delay.toFixed(1)} s`);
  if (data.restarts) parts.push(data.restarts === 1 ? "restarted once" : `restarted ${data.restarts} times`);
  return { word: data.state, tone: toneOf(data.state), text: parts.join(" · "), more: data.error ?? "" };
}
