// Starts the page: frames from the socket update the store, and elements draw what the store has.

import "./components/connection.js";
import "./components/notices.js";
import { handleFrame } from "./core/frames.js";
import { LiveSocket } from "./core/socket.js";
import { store } from "./core/store.js";
import "./pages/router.js";

const socket = new LiveSocket(handleFrame, (state) => {
  if (store.connection === state) return;
  store.connection = state;
  store.lostAt = state === "lost" ? new Date() : null;
  store.publish("connection");
});
socket.open();
