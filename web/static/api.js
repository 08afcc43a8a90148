// Requests to the REST interface; an error is thrown with the server's own sentence.

/** @returns {Promise<any>} */
export async function ask(/** @type {string} */ path, /** @type {RequestInit} */ options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The server cannot be reached.");
  }
  // The token was changed: the page itself asks for the new one.
  if (response.status === 401) location.reload();
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Error(body?.detail ?? `The server answered ${response.status}.`);
  return body;
}
