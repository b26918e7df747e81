/** The latency line while it is being written: the wait grows, freezes with the first chunk, and the flow grows after it.
 *
 * Ten times a second is as often as a person can read figures.
 */

import { duration } from "./figures.js";

const INTERVAL_MS = 100;

/** When the turn of an article that came with the page was asked, on this page's clock: as long before the page arrived as the server says. */
function askedAt(article) {
  const age = Number.parseFloat(article.dataset.ageMs);
  const arrived = performance.getEntriesByType("navigation")[0]?.responseStart;
  return Number.isFinite(age) && arrived ? arrived - age : null;
}

/** When its first token had come, where the server knew that as it wrote the page; otherwise null. */
function firstTokenAt(article, asked) {
  const wait = Number.parseFloat(article.dataset.firstTokenMs);
  return Number.isFinite(wait) && asked !== null ? asked + wait : null;
}

function figure(value, unit) {
  const element = document.createElement("span");
  element.className = "figure";
  element.append(Object.assign(document.createElement("b"), { textContent: value }), ` ${unit}`);
  return element;
}

export class LiveLine {
  /** `pressedAt` is when Send was pressed (`performance.now()`), or null where this page did not see it. */
  constructor(article, pressedAt) {
    this.line = article.querySelector("[data-role=live]");
    this.text = this.line?.querySelector("[data-role=live-text]");
    this.startedAt = pressedAt ?? askedAt(article);
    this.firstAt = pressedAt === null ? firstTokenAt(article, this.startedAt) : null;
    this.sawStart = pressedAt !== null || this.firstAt !== null;
    this.chunks = 0;
    this.lost = false;
    this.line?.setAttribute("aria-hidden", "true");
    this.timer = this.line ? setInterval(() => this.#show(), INTERVAL_MS) : 0;
  }

  /** Where the page came in the middle, its first chunk is an old one: it tells nothing of the wait for the first token. */
  chunk(count) {
    this.firstAt ??= performance.now();
    this.chunks = count;
  }

  connection(state) {
    this.lost = state === "lost";
  }

  stop() {
    clearInterval(this.timer);
  }

  #show() {
    const now = performance.now();
    this.line.classList.toggle("latency-lost", this.lost);
    if (this.lost) this.text.textContent = "Connection lost. The answer goes on; trying to get back to it";
    else this.text.replaceChildren(...this.#figures(now));
    if (this.startedAt === null) return;
    if (this.firstAt === null) this.#strip(100);
    else if (this.sawStart) this.#strip((100 * (this.firstAt - this.startedAt)) / (now - this.startedAt));
  }

  #figures(now) {
    const since = this.startedAt ?? this.firstAt;
    if (since === null) return ["Picking up the answer"];
    if (this.firstAt === null) return [figure(duration(now - since), "waiting")];
    const first = !this.sawStart ? [] : [figure(duration(this.firstAt - this.startedAt), "to first token")];
    return [...first, figure(duration(now - since), "so far"), figure(String(this.chunks), this.chunks === 1 ? "chunk" : "chunks")];
  }

  #strip(wait) {
    const [waiting, flowing] = this.line.querySelectorAll("rect");
    waiting.setAttribute("width", wait);
    flowing.setAttribute("x", wait);
    flowing.setAttribute("width", 100 - wait);
  }
}
