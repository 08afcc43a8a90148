// Wires the socket to the store: what each frame changes, and when the tree and the tasks are read again.

import { ask } from "./api.js";
import "./connection-element.js";
import "./events-element.js";
import { describe } from "./events.js";
import { reader } from "./reader.js";
import "./session-element.js";
import { LiveSocket } from "./socket.js";
import { store } from "./store.js";
import "./tasks-element.js";
import "./tree-element.js";

const TREE_PAUSE = 250;
const TASKS_PAUSE = 1000;
const SHOWN_TASKS = 10;
/** States in which a person may want to do something about a task. */
const STATES_OF_INTEREST = ["running", "failed", "dead"];

const readTree = reader(async () => {
  try {
    const answer = await ask("/api/supervisor/status");
    store.tree = answer.tree;
    store.treeAt = performance.now();
    store.treeError = "";
  } catch (error) {
    store.treeError = error.message;
  }
  store.touch("tree");
}, TREE_PAUSE);

const readTasks = reader(async () => {
  try {
    const states = STATES_OF_INTEREST.filter((state) => store.queue?.counts[state]);
    const pages = await Promise.all(states.map((state) => ask(`/api/tasks?state=${state}&limit=${SHOWN_TASKS}`)));
    store.tasks = pages.flatMap((page) => page.tasks);
    store.tasksError = "";
  } catch (error) {
    store.tasksError = error.message;
  }
  store.touch("tasks");
}, TASKS_PAUSE);

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
  if (type === "queue_update") {
    store.queue = data;
    store.touch("tasks");
    readTasks();
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
