import { el } from "../core/dom.js";
import { LiveElement } from "../core/live-element.js";
import "./analytics.js";
import "./configuration.js";
import "./health.js";
import "./overview.js";
import "./session.js";
import "./sessions.js";
import "./tasks.js";
import "./tree.js";

/** Pages by path, with tag and title; a session's page is made anew each time. @type {Record<string, [string, string]>} */
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
 * Shows the page that the URL names, as in `#/sessions/ID`.
 *
 * Only the shown page watches the store and reads data. Pages are kept, so that input in forms is not lost.
 */
class RouterElement extends LiveElement {
  /** @type {Map<string, HTMLElement>} */
  #pages = new Map();

  mount(/** @type {AbortSignal} */ signal) {
    addEventListener("hashchange", () => this.#show() && this.#main.focus({ preventScroll: true }), { signal });
    document.querySelector(".skip")?.addEventListener("click", (event) => {
      // Following the link would change the hash, and so the page.
      event.preventDefault();
      this.#main.focus();
    }, { signal });
    if (!this.#show()) this.#render("", "");
  }

  get #main() {
    return /** @type {HTMLElement} */ (this.closest("main"));
  }

  /** Show the page that the URL names, and return whether it names one. */
  #show() {
    const [root, path = "", id = ""] = location.hash.split("/");
    if (location.hash && root !== "#") return false;
    this.#render(path in PAGES ? path : "", id);
    scrollTo({ top: 0, behavior: "instant" });
    return true;
  }

  #render(/** @type {string} */ path, /** @type {string} */ id) {
    const [tag, title] = PAGES[path];
    const isSession = path === "sessions" && id !== "";
    let page = isSession ? el("bv-session", { session: id }) : this.#pages.get(path);
    if (!page) this.#pages.set(path, (page = el(tag)));
    this.replaceChildren(page);
    document.title = path ? `${title} · botvisor` : "botvisor";
    this.#main.setAttribute("aria-label", isSession ? "Session" : title);
    for (const link of document.querySelectorAll("nav a")) {
      const current = link.getAttribute("href") === `#/${path}`;
      if (current) link.setAttribute("aria-current", isSession ? "true" : "page");
      else link.removeAttribute("aria-current");
    }
  }
}

customElements.define("bv-pages", RouterElement);
