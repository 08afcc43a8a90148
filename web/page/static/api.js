// Requests to the REST interface; an error is thrown with the server's own sentence.

export class Refused extends Error {
  /**
   * @param {string} sentence
   * @param {{ status?: number, retryAfter?: number | null, body?: any }} [about]
   */
  constructor(sentence, { status = 0, retryAfter = null, body = null } = {}) {
    super(sentence);
    this.status = status;
    this.body = body;
    /** Seconds after which the server would like to be asked again. */
    this.retryAfter = retryAfter;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refused("The server cannot be reached.");
  }
  // The token was changed: the page itself asks for the new one.
  if (response.status === 401) location.reload();
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  throw new Refused(body?.detail ?? `The server answered ${response.status}.`, {
    status: response.status,
    retryAfter: Number.isNaN(wait) ? null : wait,
    body,
  });
}

/** Ask for something to be done. */
export function order(/** @type {string} */ path, /** @type {unknown} */ body = undefined, method = "POST") {
  if (body === undefined) return ask(path, { method });
  return ask(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** An error as a sentence, with the time to wait where the server names one. */
export function sentence(/** @type {unknown} */ error) {
  if (!(error instanceof Refused) || error.retryAfter === null) return error instanceof Error ? error.message : String(error);
  return `${error.message.replace(/[^.!?]$/, "$&.")} Try again in ${error.retryAfter} s.`;
}
