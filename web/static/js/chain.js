/** The chain in the page's head: its lamps light up with the chunks, and at the end it shows each hop's own added time.
 *
 * A pulse restarts one opacity animation per box, at most once per animation frame. An animation restarts only if its name changes,
 * so two names for the same animation take turns. This needs no layout.
 */

import { fineMilliseconds, milliseconds } from "./figures.js";
import { layoutWaterfall } from "./waterfall_layout.js";

export class Chain {
  constructor(element) {
    this.element = element;
    this.even = false;
  }

  started() {
    this.element.dataset.live = "waiting";
    for (const time of this.element.querySelectorAll("[data-role=own-time]")) time.textContent = "";
  }

  pulse() {
    this.even = !this.even;
    this.element.dataset.live = this.even ? "even" : "odd";
  }

  ended() {
    delete this.element.dataset.live;
  }

  /** `hops` are the records from which an answer's waterfall is drawn, upstream first. */
  show(hops) {
    if (!hops.length) return;
    for (const row of layoutWaterfall(hops).rows) {
      const time = this.element.querySelector(`[data-hop="${row.hop}"] [data-role=own-time]`);
      if (time && row.own_us !== null) time.textContent = row.derived ? milliseconds(row.own_us) : `+${fineMilliseconds(row.own_us)}`;
    }
  }
}
