/** One answer's stream, from EventSource to the screen. It survives every cut.
 *
 * Strategy. An event costs a JSON.parse and a push; everything else happens once per animation frame. EventSource reconnects by itself
 * after a cut, with the last id. After any status but 200 it gives up and does not tell the status. Then the page asks for the turn: if
 * it has ended, its stored answer replaces this one; otherwise a new EventSource goes on after the last id seen. Ids make every frame
 * idempotent: a frame that was seen before is ignored. Only a terminal frame ends the stream, never the end of a connection.
 *
 * A browser allows six connections per host. So this stream closes its connection while another request of ours needs one, and while the
 * tab is hidden. It then goes on after the last id, as after a cut. `held` holds the reasons why there is no connection now.
 */

import { errorOf, fetchAnswer } from "./api.js";
import { ChunkReader } from "./chunks.js";
import { MarkdownStream } from "./markdown.js";
import { deliver, delivered } from "./marks.js";
import { afterPaint, perFrame } from "./per_frame.js";
import { watchPresence } from "./presence.js";

const BACKOFF_MS = [300, 600, 1200, 2400, 5000];
const REQUEST_PATIENCE_MS = 3000; // how long a hanging request may keep the stream closed
const RECORD_PATIENCE_MS = 1000; // how long the stored answer may wait for the record, which its figures come from

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return {};
  }
}

export class AnswerStream {
  /** `watch` holds the callbacks: `chunk(count, begun)` once per frame, `connection(state)`, `ended()`, `timed(hops)` (upstream first),
   * `swapped(article)`. */
  constructor(article, marks, watch) {
    this.article = article;
    this.turnId = article.dataset.turnId;
    this.marks = marks;
    this.watch = watch;
    this.content = article.querySelector("[data-role=content]");
    this.markdown = null;
    this.reader = new ChunkReader();
    this.queue = [];
    this.hops = new Map();
    this.lastId = -1;
    this.chunks = 0;
    this.tries = 0;
    this.over = false;
    this.cancelled = false;
    this.timer = 0;
    this.probes = 0;
    this.held = new Set();
    this.frame = perFrame((inFrame) => this.#render(inFrame));
    this.presence = watchPresence({ left: () => this.#hold("hidden"), back: () => this.#release("hidden") });
  }

  open() {
    if (this.over || this.held.size) return;
    const url = new URL(this.article.dataset.eventsUrl, location.href);
    if (this.lastId >= 0) url.searchParams.set("last_event_id", this.lastId);
    const source = (this.source = new EventSource(url));
    source.onopen = () => {
      this.marks?.headers();
      this.watch.connection("open");
    };
    source.onmessage = (event) => this.#onMessage(event);
    source.onerror = () => this.#onError(source);
    source.addEventListener("receipt", (event) => this.#onReceipt(event));
    source.addEventListener("hop", (event) => this.#onHop(event));
    source.addEventListener("failed", (event) => this.#end(errorOf(502, event.data)));
  }

  /** Closes the connection. The answer goes on at the server. */
  close() {
    this.over = true;
    this.source?.close();
    clearTimeout(this.timer);
    this.frame.stop();
    this.presence.stop();
  }

  /** Makes the request that stops the answer, after closing this stream's connection to free it. Resolves or rejects as the request does. */
  async without(request) {
    this.marks?.close();
    this.#hold("request");
    const limit = setTimeout(() => this.#release("request"), REQUEST_PATIENCE_MS);
    try {
      return await request();
    } finally {
      clearTimeout(limit);
      this.#release("request");
    }
  }

  #hold(reason) {
    if (this.over) return;
    this.held.add(reason);
    this.source?.close();
    this.source = null;
    clearTimeout(this.timer);
    this.probes += 1; // ignores a probe in progress, since the next connection finds out the same
    if (this.marks && reason !== "request") this.marks.whole = false;
  }

  #release(reason) {
    if (this.held.delete(reason)) this.open();
  }

  /** Whether this is a new frame of the gateway. Frames without an id carry the previous one's id, so they must not come here. */
  #seen(event) {
    if (event.lastEventId === "") return true;
    const id = Number(event.lastEventId);
    if (id <= this.lastId) return false;
    this.lastId = id;
    return true;
  }

  #onMessage(event) {
    if (event.data === "[DONE]") return this.#end(null);
    const now = performance.now();
    if (!this.#seen(event)) return undefined;
    this.tries = 0;
    this.chunks += 1;
    const { text, refusal, isToken } = this.reader.read(parsed(event.data));
    this.marks?.arrived(now, event.data.length, isToken);
    this.queue.push(text || refusal);
    return this.frame.request();
  }

  #onReceipt(event) {
    this.#seen(event);
    this.cancelled = parsed(event.data).status === "cancelled";
  }

  #onHop(event) {
    this.#seen(event);
    const hop = parsed(event.data);
    if (hop.hop) this.hops.set(hop.hop, hop);
  }

  #render(inFrame) {
    if (!this.article.isConnected) return this.close();
    const text = this.queue.join("");
    this.queue = [];
    if (text) {
      if (!this.markdown) {
        this.content.replaceChildren(); // after a reload, the stream repeats this text from its first chunk on
        this.markdown = new MarkdownStream(this.content);
      }
      this.markdown.write(text);
    }
    const chunks = this.chunks;
    if (this.marks) afterPaint(() => this.marks.painted(chunks), inFrame);
    return this.watch.chunk(chunks, this.reader.begun);
  }

  #onError(source) {
    if (this.over || source !== this.source) return;
    if (this.marks) this.marks.whole = false;
    this.watch.connection("lost");
    if (source.readyState === EventSource.CLOSED) this.#again();
  }

  #again() {
    const delay = BACKOFF_MS[Math.min(this.tries, BACKOFF_MS.length - 1)];
    this.tries += 1;
    this.timer = setTimeout(() => this.#probe(), delay);
  }

  /** Called after a refused stream. It finds out whether the turn has ended, is gone, or the server is only busy. */
  async #probe() {
    const probe = (this.probes += 1);
    const { status, article } = await fetchAnswer(this.turnId);
    if (this.over || probe !== this.probes) return;
    if (article && article.dataset.state !== "streaming") {
      this.#finish();
      this.#swap(article);
    } else if (status === 404) {
      this.#end({ code: "not_found", message: "This answer is not here any more.", retryable: false });
    } else if (article) {
      this.open();
    } else {
      this.#again();
    }
  }

  /** Handles a terminal frame. */
  #end(error) {
    if (this.over) return;
    const recorded = this.#finish();
    if (error) this.#showError(error);
    const patience = new Promise((resolve) => setTimeout(resolve, RECORD_PATIENCE_MS));
    Promise.race([recorded, patience]).then(() => this.#fetchStored(0));
  }

  /** Resolves once the browser's record, if it is useful, has been delivered. */
  async #finish() {
    this.frame.flush();
    this.close();
    this.markdown?.end();
    this.watch.ended();
    const hops = [...this.hops.values()];
    const { marks, turnId } = this;
    if (!marks?.whole || document.hidden || (marks.closed && !this.cancelled)) {
      this.watch.timed(hops);
      return;
    }
    await new Promise((painted) => afterPaint(painted, false));
    marks.painted(marks.arrivals.length);
    const record = deliver(turnId, marks);
    this.watch.timed(record ? [...hops, record] : hops);
    await delivered(turnId);
  }

  /** Fetches the stored answer. The server stores it before the terminal frame; the retries are for a server that is restarting. */
  async #fetchStored(attempt) {
    const { article } = await fetchAnswer(this.turnId);
    if (article && article.dataset.state !== "streaming") return this.#swap(article);
    if (attempt < BACKOFF_MS.length) {
      this.timer = setTimeout(() => this.#fetchStored(attempt + 1), BACKOFF_MS[attempt]);
      return undefined;
    }
    this.article.dataset.state = this.article.dataset.state === "streaming" ? "finished" : this.article.dataset.state;
    return this.watch.swapped(this.article);
  }

  #swap(article) {
    const asked = this.article.querySelector(".htmx-request"); // "Try again" was pressed, so its answer will replace this one
    if (!this.article.isConnected || asked) return;
    this.article.replaceWith(article);
    this.watch.swapped(article);
  }

  #showError(error) {
    const box = this.article.querySelector("[data-role=error]");
    this.article.dataset.state = "failed";
    this.article.removeAttribute("aria-busy");
    box.querySelector("[data-role=error-message]").textContent = error.message;
    const retry = box.querySelector("[data-role=retry]");
    if (retry) retry.hidden = !error.retryable;
    box.hidden = false;
  }
}
