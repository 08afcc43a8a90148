// Reading again and again what frames say has changed, without asking for every frame.

/**
 * However often the returned function is called while a read is under way, it is read once more after that.
 *
 * @param {() => Promise<void>} read
 * @param {number} pause milliseconds between two reads
 * @returns {() => Promise<void>}
 */
export function reader(read, pause) {
  let reading = false;
  let stale = false;
  return async function again() {
    if (reading) {
      stale = true;
      return;
    }
    reading = true;
    await read();
    await new Promise((resolve) => setTimeout(resolve, pause));
    reading = false;
    if (stale) {
      stale = false;
      again();
    }
  };
}
