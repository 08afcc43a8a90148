// Wires the socket to the store: what each frame changes, and when the tree is read again.

import { ask } from "./api.js";
import "./connection-element.js";
import "./events-element.js";
import { describe } from "./events.js";
import "./session-element.js";
import { LiveSocket } from "./socket.js";
import { store } from "./store.js";
import "./tree-element.js";

const TREE_PAUSE = 250;

let reading = false;
let stale = false;

/** Read the tree; however often this is called meanwhile, it is read once more after that. */
async function readTree() {
  if (reading) {
    stale = true;
    return;
  }
  reading = true;
  try {
    const answer = await ask("/api/supervisor/status");
    store.tree = answer.tree;
    store.treeAt = performance.now();
    store.treeError = "";
  } catch (error) {
    store.treeError = error.message;
  }
  store.touch("tree");
  await new Promise((resolve) => setTimeout(resolve, TREE_PAUSE));
  reading = false;
  if (stale) {
    stale = false;
    readTree();
  }
}

/** @param {{ type: string, data: any, timestamp: string }} frame */
function onFrame(frame) {
  const { type, data } = frame;
  if (type === "connection_established" || type === "supervisor_event" || data.missed) readTree();
  if (type === "status_update" && data.bot_status) {
    store.bot = data.bot_status;
    store.touch("bot");
  } else if (type === "cycle_complete") {
    store.cycle = data.cycle;
    store.touch("bot");
  }
  const entry = describe(frame);
  if (entry) store.note({ time: frame.timestamp, ...entry });
}

const socket = new LiveSocket(onFrame, (state) => {
  if (store.connection === state) return;
  store.connection = state;
  store.touch("connection");
});
socket.open();
