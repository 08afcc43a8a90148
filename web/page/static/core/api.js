// Requests to the REST API. An error response is thrown as a RequestError with the server's `detail`.

export class RequestError extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, retryAfter?: number | null, body?: any }} [about]
   */
  constructor(message, { status = 0, retryAfter = null, body = null } = {}) {
    super(message);
    this.status = status;
    this.body = body;
    /** Seconds to wait before a retry, from the `Retry-After` header. */
    this.retryAfter = retryAfter;
  }
}

/**
 * Send a request and return the JSON of its response.
 *
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
export async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new RequestError("The server cannot be reached.");
  }
  // The token has changed: the server answers a reload with the form for the new one.
  if (response.status === 401) location.reload();
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  throw new RequestError(body?.detail ?? `The server responded with status ${response.status}.`, {
    status: response.status,
    retryAfter: Number.isNaN(wait) ? null : wait,
    body,
  });
}

/** Send a command, with a JSON body if there is one. */
export function send(/** @type {string} */ path, /** @type {unknown} */ body = undefined, method = "POST") {
  if (body === undefined) return request(path, { method });
  return request(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** The text of an error, with the time to wait before a retry if the server names one. */
export function errorText(/** @type {unknown} */ error) {
  if (!(error instanceof RequestError) || error.retryAfter === null) return error instanceof Error ? error.message : String(error);
  return `${error.message.replace(/[^.!?]$/, "$&.")} Try again in ${error.retryAfter} s.`;
}
