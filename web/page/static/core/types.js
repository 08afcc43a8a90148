// JSDoc types of the data that the page reads from the server. No module imports this at run time.

/**
 * @typedef {{ type: string, data: any, timestamp: string }} Frame
 *
 * @typedef {{ is_running: boolean, session_id: string | null, session_name: string | null,
 *   start_time: string | null, status: string, login_status: string, total_checks: number,
 *   total_accepted: number, total_rejected: number, engine: string | null, portal: string | null,
 *   message: string | null }} BotStatus
 *
 * @typedef {{ id: string, session_name: string, portal: string | null, engine: string | null,
 *   start_time: string | null, end_time: string | null, status: string, login_status: string,
 *   total_checks: number, total_accepted: number, total_rejected: number, message: string | null,
 *   owner?: string | null, config_id?: string | null, desired?: string }} Session
 *
 * @typedef {{ active_sessions?: number, total_jobs_today?: number, acceptance_rate_today?: number,
 *   most_active_language?: string | null, bot_uptime_hours?: number, last_activity?: string | null }} Metrics
 *
 * @typedef {{ id: string, path: string, kind: string, state: string, restarts: number,
 *   last_error: string | null, uptime_seconds: number | null,
 *   mailbox: { depth: number, capacity: number, high_water: number },
 *   backoff_until: string | null, detail: Record<string, unknown>, children: TreeNode[] }} TreeNode
 *
 * @typedef {{ counts: Record<string, number>, paused: boolean, paused_types: string[] }} Queue
 *
 * @typedef {{ id: string, type: string, state: string, progress: number, attempts: number, max_attempts: number,
 *   error: string | null, group: string | null, owner: string | null, started_at: string | null,
 *   finished_at: string | null }} Task
 *
 * @typedef {{ job_ref: string, language: string, job_type: string, duration: string, status: string,
 *   appointment_date: string | null, appointment_time: string | null, rejection_reason: string | null,
 *   created_at: string, id: string }} Job
 *
 * @typedef {{ timestamp: string, kind: string, level: string, component: string, message: string,
 *   data: Record<string, unknown> }} LogLine
 *
 * @typedef {{ name: string, taken_at: string, bytes: number, path: string }} Screenshot
 *
 * @typedef {{ status: string, last_check: string | null, retry_count: number, latency_ms: number | null,
 *   error: string | null, evidence: string | null, warning: string | null }} Service
 *
 * @typedef {{ overall_status: string, services: Record<string, Service>, check_interval: number }} Health
 *
 * @typedef {{ hour: string, jobs_accepted: number, jobs_rejected: number, jobs_failed: number }} Hour
 *
 * @typedef {{ period_hours: number, total_jobs_processed: number, jobs_accepted: number, jobs_rejected: number,
 *   jobs_failed: number, jobs_open: number, acceptance_rate: number, most_common_language: string | null,
 *   language_distribution: Record<string, number> }} Analytics
 *
 * @typedef {Record<string, any> & { id: string, config_name: string, is_active: boolean }} Configuration
 *
 * @typedef {{ id: number, time: string, session: string | null, label: string, tone: string, text: string,
 *   more?: string }} Entry
 *
 * @typedef {{ id: number, text: string, tone: "bad" | "good" }} Notice
 */

export {};
