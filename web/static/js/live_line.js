/** The latency line while the answer is being written. The wait grows until the first paint; then the streaming time grows to the end.
 *
 * It is updated ten times a second, since a person cannot read figures faster.
 */

import { duration } from "./figures.js";

const INTERVAL_MS = 100;

/** When the message was sent, on this page's clock, for an article that came with the page: the page's arrival less the server's `age`. */
function askedAt(article) {
  const age = Number.parseFloat(article.dataset.ageMs);
  const arrived = performance.getEntriesByType("navigation")[0]?.responseStart;
  return Number.isFinite(age) && arrived ? arrived - age : null;
}

/** When its first token came, if the server knew this when it wrote the page; otherwise null. */
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
  /** `marks` are the browser's own marks of this answer, or null if Send was not pressed on this page. */
  constructor(article, marks) {
    this.line = article.querySelector("[data-role=live]");
    this.text = this.line?.querySelector("[data-role=live-text]");
    this.marks = marks;
    this.startedAt = marks ? marks.pressedAt : askedAt(article);
    this.arrivedAt = marks ? null : firstTokenAt(article, this.startedAt);
    this.sawStart = marks !== null || this.arrivedAt !== null;
    this.inOnePiece = article.dataset.streaming === "off";
    this.chunks = 0;
    this.lost = false;
    this.over = false;
    this.line?.setAttribute("aria-hidden", "true");
    this.timer = this.line ? setInterval(() => this.#show(), INTERVAL_MS) : 0;
  }

  /** `begun`: a token has come. On a page that joined in mid-answer, it is an old one and does not show the wait for the first token. */
  chunk(count, begun) {
    if (begun) this.arrivedAt ??= performance.now();
    this.chunks = count;
  }

  /** When the first token came. With marks, it counts from its paint on the screen, as they do. */
  get firstAt() {
    return this.marks ? this.marks.firstOut : this.arrivedAt;
  }

  connection(state) {
    this.lost = state === "lost";
  }

  /** Ends the line: the figures stay as they are now. */
  stop() {
    clearInterval(this.timer);
    this.over = true;
    if (this.line && !this.lost) this.#show();
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
    if (this.firstAt === null) return [figure(duration(now - since), this.over ? "waited, no token came" : "waiting")];
    const first = !this.sawStart || this.firstAt === null ? [] : [figure(duration(this.firstAt - this.startedAt), this.#until)];
    return [...first, figure(duration(now - since), this.over ? "total" : "so far"), figure(String(this.chunks), this.chunks === 1 ? "chunk" : "chunks")];
  }

  get #until() {
    return this.inOnePiece ? "to the answer" : "to first token";
  }

  #strip(wait) {
    const [waiting, flowing] = this.line.querySelectorAll("rect");
    waiting.setAttribute("width", wait);
    flowing.setAttribute("x", wait);
    flowing.setAttribute("width", 100 - wait);
  }
}
