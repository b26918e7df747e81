/** The browser's own record of an answer. It has the same form as every other hop's, on this page's own monotonic clock.
 *
 * The request "arrives" at this hop when Send is pressed, and a chunk "departs" when it has been painted. The record is only useful
 * if the page saw the whole stream. If the page reconnected or was hidden for a while, its times mean something else. If Stop
 * took the connection, the record ends there.
 */

import { post } from "./api.js";

const MAX_ARRIVALS = 2048;
const posts = new Map(); // turn id → the promise of its record's delivery

function nearestRank(sorted, percent) {
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))];
}

function percentiles(values) {
  if (!values.length) return { p50: null, p99: null, max: null };
  const sorted = [...values].sort((a, b) => a - b);
  return { p50: sorted[(sorted.length - 1) >> 1], p99: nearestRank(sorted, 99), max: sorted[sorted.length - 1] };
}

export class BrowserMarks {
  constructor(pressedAt = performance.now()) {
    this.pressedAt = pressedAt;
    this.whole = !document.hidden;
    this.closed = false;
    this.arrivals = [];
    this.dwell = [];
    this.bytes = 0;
    this.firstToken = null; // the index of the first chunk that carries one; before it there may be a role
    this.sentAt = this.headersAt = this.firstOut = this.lastOut = null;
  }

  /** Marks that the request is about to leave. */
  sent() {
    this.sentAt = performance.now();
  }

  /** Marks that the connection was closed to stop the answer. Chunks after this come late and are not recorded. */
  close() {
    this.closed = true;
  }

  /** Marks that the event stream's headers have arrived. A second call means that the stream was cut in between. */
  headers() {
    if (this.closed) return;
    if (this.headersAt !== null) this.whole = false;
    this.headersAt ??= performance.now();
  }

  arrived(at, size, isToken) {
    if (this.closed) return;
    if (isToken) this.firstToken ??= this.arrivals.length;
    this.arrivals.push(at);
    this.bytes += size;
    if (document.hidden) this.whole = false;
  }

  /** Marks that the first `count` chunks are on the screen. */
  painted(count) {
    const now = performance.now();
    const noted = Math.min(count, this.arrivals.length);
    if (noted > this.dwell.length) {
      if (this.firstToken !== null && this.firstToken < noted) this.firstOut ??= now;
      this.lastOut = now;
    }
    for (let index = this.dwell.length; index < noted; index += 1) this.dwell.push(Math.round((now - this.arrivals[index]) * 1000));
  }

  /** The record in the form of a `hop` frame, in microseconds since Send was pressed. */
  record() {
    const us = (mark) => (mark === null || mark === undefined ? null : Math.round((mark - this.pressedAt) * 1000));
    return {
      hop: "browser",
      received_at: (performance.timeOrigin + this.pressedAt) / 1000,
      upstream_sent_us: us(this.sentAt),
      upstream_headers_us: us(this.headersAt),
      first_in_us: us(this.arrivals[this.firstToken]),
      first_out_us: us(this.firstOut),
      last_in_us: us(this.arrivals.at(-1)),
      last_out_us: us(this.lastOut),
      frames: this.arrivals.length,
      bytes: this.bytes,
      reads: this.arrivals.length, // the browser does not show its reads, so one per event is assumed
      dwell_us: percentiles(this.dwell),
      arrivals_us: this.arrivals.slice(0, MAX_ARRIVALS).map(us),
    };
  }
}

/** Sends the record to the server, so that the waterfall has its first row, and returns it; null if the record is not useful.
 * If the delivery fails, only that row is missing. */
export function deliver(turnId, marks) {
  if (!marks.whole || !marks.arrivals.length) return null;
  const record = marks.record();
  const sent = post(`/chat/turns/${encodeURIComponent(turnId)}/timing`, record).then(() => {}, () => {});
  posts.set(turnId, sent);
  return record;
}

/** Resolves once this turn's record, if one was sent, has been delivered or has failed. */
export function delivered(turnId) {
  return posts.get(turnId) ?? Promise.resolve();
}
