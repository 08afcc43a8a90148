import "../components/event-log.js";
import "../components/services.js";
import "../components/switch.js";
import { card, el } from "../core/dom.js";
import { LiveElement } from "../core/live-element.js";

/** The first page: the main switch, the services, and the live events. */
class OverviewElement extends LiveElement {
  mount() {
    if (this.firstChild) return;
    this.append(
      card("Bot", el("bv-switch")),
      card("Services", el("bv-services")),
      card("Live events", el("bv-events")),
    );
  }
}

customElements.define("bv-overview", OverviewElement);
