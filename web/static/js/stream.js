/** One answer's stream: from EventSource to the screen, over every cut.
 *
 * Strategy. An event costs a JSON.parse and a push; all else happens once per animation frame. EventSource reconnects by itself after a
 * cut, with the last id; after any status but 200 it gives up without saying which it was. Then the turn itself is asked for: if it has
 * ended, its stored answer takes this one's place, otherwise a new EventSource goes on after the last id seen. Ids make every frame
 * idempotent: one that was seen before is passed over. The end of the stream is a terminal frame, never the end of a connection.
 */

import { errorOf, fetchAnswer } from "./api.js";
import { MarkdownStream } from "./markdown.js";
import { deliver } from "./marks.js";
import { afterPaint, perFrame } from "./per_frame.js";

const BACKOFF_MS = [300, 600, 1200, 2400, 5000];

/** The text that one chunk carries. */
function textOf(chunk) {
  const choice = chunk.choices?.[0];
  return choice?.delta?.content ?? choice?.message?.content ?? "";
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return {};
  }
}

export class AnswerStream {
  /** `watch` is told: `chunk(count)` per frame, `connection(state)`, `ended({error, hops})`, `swapped(article)`. */
  constructor(article, marks, watch) {
    this.article = article;
    this.turnId = article.dataset.turnId;
    this.marks = marks;
    this.watch = watch;
    this.content = article.querySelector("[data-role=content]");
    this.markdown = null;
    this.queue = [];
    this.hops = new Map();
    this.lastId = -1;
    this.chunks = 0;
    this.tries = 0;
    this.over = false;
    this.timer = 0;
    this.frame = perFrame((inFrame) => this.#render(inFrame));
  }

  open() {
    const url = new URL(this.article.dataset.eventsUrl, location.href);
    if (this.lastId >= 0) url.searchParams.set("last_event_id", this.lastId);
    const source = (this.source = new EventSource(url));
    source.onopen = () => {
      this.marks?.headers();
      this.watch.connection("open");
    };
    source.onmessage = (event) => this.#onMessage(event);
    source.onerror = () => this.#onError(source);
    source.addEventListener("receipt", (event) => this.#seen(event));
    source.addEventListener("hop", (event) => this.#onHop(event));
    source.addEventListener("failed", (event) => this.#end(errorOf(502, event.data)));
  }

  /** Lets go of the connection; the answer goes on at the server. */
  close() {
    this.over = true;
    this.source?.close();
    clearTimeout(this.timer);
    this.frame.stop();
  }

  /** True once per frame of the gateway's; frames without an id of their own carry the last one's, so they never come here. */
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
    this.marks?.arrived(now, event.data.length);
    this.queue.push(textOf(parsed(event.data)));
    return this.frame.request();
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
        this.content.replaceChildren(); // what a reload brought is in the stream again, from its first chunk on
        this.markdown = new MarkdownStream(this.content);
      }
      this.markdown.write(text);
    }
    const chunks = this.chunks;
    if (this.marks) afterPaint(() => this.marks.painted(chunks), inFrame);
    return this.watch.chunk(chunks);
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

  /** The stream was refused: has the turn ended, is it gone, or is the server only busy? */
  async #probe() {
    const { status, article } = await fetchAnswer(this.turnId);
    if (this.over) return;
    if (article && article.dataset.state !== "streaming") {
      this.#finish(null);
      this.#swap(article);
    } else if (status === 404) {
      this.#end({ code: "not_found", message: "This answer is not here any more.", retryable: false });
    } else if (article) {
      this.open();
    } else {
      this.#again();
    }
  }

  /** A terminal frame has arrived. */
  #end(error) {
    if (this.over) return;
    this.#finish(error);
    if (error) this.#showError(error);
    this.#fetchStored(0);
  }

  #finish(error) {
    this.frame.flush();
    this.close();
    this.markdown?.end();
    const { marks, turnId } = this;
    if (marks && !error) {
      afterPaint(() => {
        marks.painted(marks.arrivals.length);
        deliver(turnId, marks);
      }, false);
    }
    this.watch.ended({ error, hops: [...this.hops.values()] });
  }

  /** The server has stored the answer before it wrote the terminal frame; asking again is for a server that is just restarting. */
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
    const asked = this.article.querySelector(".htmx-request"); // "Try again" was pressed: its answer takes this place
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
