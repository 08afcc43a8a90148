// Puts the page together: the socket tells, the store knows, the elements show.

import "./connection-element.js";
import { hear } from "./news.js";
import "./notices-element.js";
import "./pages-element.js";
import { LiveSocket } from "./socket.js";
import { store } from "./store.js";

const socket = new LiveSocket(hear, (state) => {
  if (store.connection === state) return;
  store.connection = state;
  store.lostAt = state === "lost" ? new Date() : null;
  store.touch("connection");
});
socket.open();
