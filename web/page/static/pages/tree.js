import { request } from "../core/api.js";
import { card, el, formatClock, formatDuration, keyed, setState, setText } from "../core/dom.js";
import { toneOf } from "../core/events.js";
import { LiveElement, eachSecond } from "../core/live-element.js";
import { reader } from "../core/reader.js";
import { store } from "../core/store.js";

const PAUSE = 250;

/** The supervisor tree as nested lists, one node per path. */
class TreeElement extends LiveElement {
  /** @type {TreeNode | null} */
  #tree = null;
  #readAt = 0;
  #nodes = el("ul", { class: "nodes", role: "list" });
  #notice = el("p", { class: "notice", role: "status" });
  #read = reader(() => this.#readTree(), PAUSE, (text) => setText(this.#notice, text));

  mount(/** @type {AbortSignal} */ signal) {
    if (!this.firstChild) this.append(card("Supervisor tree", this.#nodes, this.#notice));
    store.watch("tree-changed", this.#read, signal);
    // Between two reads, only the uptimes change.
    eachSecond(() => this.#draw(), signal);
  }

  async #readTree() {
    this.#tree = (await request("/api/supervisor/status")).tree;
    this.#readAt = performance.now();
    this.#draw();
  }

  #draw() {
    if (this.#tree) drawNodes(this.#nodes, [this.#tree], (performance.now() - this.#readAt) / 1000);
  }
}

/** @typedef {import("../core/types.js").TreeNode} TreeNode */

function drawNodes(/** @type {HTMLElement} */ list, /** @type {TreeNode[]} */ nodes, /** @type {number} */ age) {
  keyed(list, nodes, (node) => node.path, makeNode, (element, node) => updateNode(element, node, age));
}

function makeNode() {
  return el(
    "li",
    {},
    el("div", { class: "node" }, el("span", { class: "node-name" }), el("span", { class: "state" }), el("span", { class: "node-facts" }), el("span", { class: "node-error" })),
  );
}

function updateNode(/** @type {HTMLElement} */ element, /** @type {TreeNode} */ node, /** @type {number} */ age) {
  const [name, state, facts, error] = /** @type {HTMLElement[]} */ ([...element.children[0].children]);
  setText(name, shorten(node.id));
  name.title = node.path;
  setState(state, node.state, toneOf(node.state));
  keyed(facts, factsOf(node, age), (fact) => fact.key, () => el("span"), (element, fact) => {
    setText(element, fact.text);
    if (fact.tone) element.dataset.tone = fact.tone;
    else delete element.dataset.tone;
  });
  const past = node.state === "running";
  setText(error, node.last_error ? `${past ? "last error: " : ""}${node.last_error}` : "");
  error.dataset.past = String(past);
  let below = /** @type {HTMLElement | undefined} */ (element.children[1]);
  if (node.children.length && !below) {
    below = el("ul", { class: "nodes", role: "list" });
    element.append(below);
  }
  if (below) drawNodes(below, node.children, age);
}

/** @returns {{ key: string, text: string, tone?: string }[]} */
function factsOf(/** @type {TreeNode} */ node, /** @type {number} */ age) {
  const { mailbox } = node;
  const facts = [];
  if (node.uptime_seconds !== null) facts.push({ key: "up", text: `up ${formatDuration(node.uptime_seconds + age)}` });
  if (node.backoff_until) facts.push({ key: "backoff", text: `restarts at ${formatClock(node.backoff_until)}`, tone: "wait" });
  if (node.restarts) facts.push({ key: "restarts", text: node.restarts === 1 ? "1 restart" : `${node.restarts} restarts`, tone: "wait" });
  if (node.kind === "worker") {
    const full = mailbox.depth >= mailbox.capacity / 2 ? "wait" : undefined;
    facts.push({ key: "mailbox", text: `mailbox ${mailbox.depth}/${mailbox.capacity}`, tone: full });
  }
  for (const [key, value] of Object.entries(node.detail)) {
    if (value !== null) facts.push({ key: `detail.${key}`, text: `${key} ${value}` });
  }
  return facts;
}

/** Shorten a UUID in a name; the title has the whole name. */
function shorten(/** @type {string} */ name) {
  return name.replace(/([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/, "$1…");
}

customElements.define("bv-tree", TreeElement);
