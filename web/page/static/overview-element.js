import { card, el } from "./dom.js";
import "./events-element.js";
import { LiveElement } from "./live-element.js";
import "./services-element.js";
import "./switch-element.js";

/** The first page: is it on, is it well, what does it do. */
class OverviewElement extends LiveElement {
  live() {
    if (this.firstChild) return;
    this.append(
      card("Bot", el("bv-switch")),
      card("Services", el("bv-services")),
      card("Live events", el("bv-events")),
    );
  }
}

customElements.define("bv-overview", OverviewElement);
