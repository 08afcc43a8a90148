import "./analytics-element.js";
import "./configuration-element.js";
import { el } from "./dom.js";
import "./health-element.js";
import { LiveElement } from "./live-element.js";
import "./overview-element.js";
import "./session-element.js";
import "./sessions-element.js";
import "./tasks-element.js";
import "./tree-element.js";

/** Pages by their path; a session's own is made for each. @type {Record<string, [string, string]>} */
const PAGES = {
  "": ["bv-overview", "Overview"],
  sessions: ["bv-sessions", "Sessions"],
  tasks: ["bv-tasks", "Tasks"],
  analytics: ["bv-analytics", "Analytics"],
  configuration: ["bv-configuration", "Configuration"],
  health: ["bv-health", "Health"],
  tree: ["bv-tree", "Supervisor tree"],
};

/**
 * Shows the page that the address names, as in `#/sessions/ID`.
 *
 * Only what is shown watches and reads. Pages are kept, so that what was typed is still there afterwards.
 */
class PagesElement extends LiveElement {
  /** @type {Map<string, HTMLElement>} */
  #kept = new Map();

  live(/** @type {AbortSignal} */ signal) {
    addEventListener("hashchange", () => this.#show() && this.#main.focus({ preventScroll: true }), { signal });
    document.querySelector(".skip")?.addEventListener("click", (event) => {
      // An address of its own would leave the page that is shown.
      event.preventDefault();
      this.#main.focus();
    }, { signal });
    if (!this.#show()) this.#put("", "");
  }

  get #main() {
    return /** @type {HTMLElement} */ (this.closest("main"));
  }

  /** Show what the address names, if it names anything here. */
  #show() {
    const [root, path = "", id = ""] = location.hash.split("/");
    if (location.hash && root !== "#") return false;
    this.#put(path in PAGES ? path : "", id);
    scrollTo({ top: 0, behavior: "instant" });
    return true;
  }

  #put(/** @type {string} */ path, /** @type {string} */ id) {
    const [tag, title] = PAGES[path];
    const isSession = path === "sessions" && id !== "";
    let page = isSession ? el("bv-session", { session: id }) : this.#kept.get(path);
    if (!page) this.#kept.set(path, (page = el(tag)));
    this.replaceChildren(page);
    document.title = path ? `${title} · botvisor` : "botvisor";
    this.#main.setAttribute("aria-label", isSession ? "Session" : title);
    for (const link of document.querySelectorAll("nav a")) {
      const here = link.getAttribute("href") === `#/${path}`;
      if (here) link.setAttribute("aria-current", isSession ? "true" : "page");
      else link.removeAttribute("aria-current");
    }
  }
}

customElements.define("bv-pages", PagesElement);
