/** The layout of a waterfall, in microseconds: pure functions from hop records to rows, lanes and a sum.
 *
 * Strategy. Clocks of two hops are never subtracted. A lower hop knows how long it waited for the hop above, and the hop above
 * knows how long it took until its first departure. The rest of the wait is the way there and back; half of it goes on each side. The
 * model keeps no record, so its row is the time that saas_api waited.
 *
 * The sum is telescopic. Until its first departure, each hop spent its own time plus its wait. Each wait is the time of the hop above plus
 * the time between the two. So the parts add up to the whole, whatever the clocks did. A part may come out negative, because a departure is
 * noted after the bytes have left; it is then cut to the available room.
 */

const NAMES = { browser: "browser", client_server: "client_server", saas_api: "saas_api", model: "model" };
const BURST_WINDOW_US = 4000;
const BURST_CHUNKS = 4;
const FINE_BELOW_US = 995; // as in figures.js

const known = (value) => value !== null && value !== undefined;

/** When the hop's first token left, as if its reader had already been there: the wait for a late reader is not the hop's own time. */
function firstDeparture(hop) {
  if (!known(hop.first_in_us)) return null;
  const dwell = known(hop.first_out_us) ? Math.max(0, hop.first_out_us - hop.first_in_us) : 0;
  return hop.first_in_us + Math.min(dwell, hop.dwell_us?.max ?? dwell);
}

function waitOf(hop) {
  return known(hop.first_in_us) ? Math.max(0, hop.first_in_us - (hop.upstream_sent_us ?? 0)) : null;
}

function segment(start, end) {
  return known(start) && known(end) ? { start, end: Math.max(start, end) } : null;
}

function rowOf(hop, origin) {
  const at = (mark) => (known(mark) ? origin + mark : null);
  const sent = hop.upstream_sent_us ?? 0;
  const last = known(hop.last_in_us) ? Math.max(hop.last_in_us, hop.last_out_us ?? 0) : null;
  return {
    hop: hop.hop,
    origin_us: origin,
    request: segment(origin, at(sent)),
    wait: segment(at(sent), at(hop.first_in_us)),
    streaming: segment(at(hop.first_in_us), at(last)),
    own_us: null,
    dwell_us: hop.dwell_us?.p50 ?? null,
    frames: hop.frames ?? null,
    resumed: hop.resumed === true,
    derived: false,
  };
}

function modelRow(lowest, origin) {
  const row = rowOf({ ...lowest, hop: NAMES.model, last_out_us: null, resumed: false }, origin);
  return { ...row, origin_us: row.wait?.start ?? origin, request: null, dwell_us: null, frames: null, derived: true };
}

/** Each record with its origin on the axis of the first one; `hops` are downstream first. */
function placed(hops) {
  let origin = 0;
  return hops.map((hop, index) => {
    const parent = hops[index - 1];
    if (parent) {
      const spare = (waitOf(parent) ?? 0) - (hop.first_out_us ?? hop.first_in_us ?? 0);
      origin += (parent.upstream_sent_us ?? 0) + Math.max(0, spare) / 2;
    }
    return { hop, origin };
  });
}

/** The parts of the time to the first token: `{total_us, own: Map(hop → µs), between_us}`. Null if no chunk arrived. */
function partsOf(hops) {
  const total = firstDeparture(hops[0]);
  if (total === null) return null;
  const own = new Map();
  let room = total;
  let between = 0;
  hops.forEach((hop, index) => {
    const wait = Math.min(waitOf(hop) ?? room, room);
    own.set(hop.hop, room - wait);
    const above = hops[index + 1];
    room = above ? Math.min(firstDeparture(above) ?? wait, wait) : wait;
    between += wait - room;
  });
  own.set(NAMES.model, room);
  return { total_us: total, own, between_us: between };
}

function largestBurst(arrivals) {
  let best = 0;
  for (let start = 0, end = 0; end < arrivals.length; end += 1) {
    while (arrivals[end] - arrivals[start] > BURST_WINDOW_US) start += 1;
    best = Math.max(best, end - start + 1);
  }
  return best;
}

/** The first hop, counted from the model, that received chunks in a burst although the hop above received them one by one. */
function heldBack(hops) {
  const bursts = hops.map((hop) => largestBurst(hop.arrivals_us ?? []));
  for (let index = hops.length - 2; index >= 0; index -= 1) {
    if (bursts[index] >= BURST_CHUNKS && bursts[index] >= 2 * bursts[index + 1]) {
      return { at: hops[index].hop, above: hops[index + 1].hop, chunks: bursts[index] };
    }
  }
  return null;
}

/** When the answer ended, on the axis, and the length of the silence before that: `{at_us, silence_us}`.
 *
 * Only client_server notes the end, in `ended`, on its own clock. The time from the first token to the end is taken to be the same at
 * the browser.
 */
function endOf(places, ended) {
  const own = places.find(({ hop }) => hop.hop === NAMES.client_server);
  if (!known(ended) || !known(own?.hop.last_in_us)) return null;
  const [{ hop: first }] = places;
  const seen = first.hop === NAMES.browser && known(first.first_in_us);
  const at = seen ? first.first_in_us + ended - (own.hop.first_out_us ?? own.hop.first_in_us) : own.origin + ended;
  return { at_us: at, silence_us: Math.max(0, ended - own.hop.last_in_us) };
}

/** The whole layout. `records` are the hops of one answer, upstream first, as the server lists them; the browser's may be missing.
 * `ended` is when the answer ended, in microseconds on the axis of client_server's record, or null. */
export function layoutWaterfall(records, ended = null) {
  const hops = [...records].reverse();
  if (!hops.length) return { rows: [], lanes: [], span_us: 0, flow_end_us: 0, end: null, parts: null, burst: null };
  const places = placed(hops);
  const rows = places.map(({ hop, origin }) => rowOf(hop, origin));
  rows.push(modelRow(hops.at(-1), places.at(-1).origin));
  const parts = partsOf(hops);
  const shown = parts ? shownParts(parts) : new Map();
  for (const row of rows) row.own_us = shown.get(row.hop) ?? null;
  const lanes = places.map(({ hop, origin }) => ({ hop: hop.hop, arrivals_us: (hop.arrivals_us ?? []).map((mark) => origin + mark) }));
  const ends = rows.flatMap((row) => [row.request?.end, row.wait?.end, row.streaming?.end].filter(known));
  const flowEnd = Math.max(1, ...ends);
  const end = endOf(places, ended);
  return { rows, lanes, span_us: Math.max(flowEnd, end?.at_us ?? 0), flow_end_us: flowEnd, end, parts, burst: heldBack(hops) };
}

/** Rounds to tenths of a millisecond so that the rounded parts add up to the rounded whole (largest remainder). */
export function roundedParts(values, total) {
  const target = Math.round(total / 100);
  const exact = values.map((value) => value / 100);
  const floors = exact.map(Math.floor);
  let missing = target - floors.reduce((sum, value) => sum + value, 0);
  const order = exact.map((value, index) => [value - floors[index], index]).sort((a, b) => b[0] - a[0]);
  for (const [, index] of order) {
    if (missing <= 0) break;
    floors[index] += 1;
    missing -= 1;
  }
  return floors.map((tenths) => tenths * 100);
}

/** The parts in the order of the sentence: `[{name, us}]`, rounded so that they add up, and the rounded total. */
export function tellParts(parts) {
  const names = [NAMES.model, NAMES.saas_api, NAMES.client_server, NAMES.browser].filter((name) => parts.own.has(name));
  const rounded = roundedParts([...names.map((name) => parts.own.get(name)), parts.between_us], parts.total_us);
  const told = names.map((name, index) => ({ name, us: rounded[index] }));
  told.push({ name: "between", us: rounded.at(-1) });
  return { total_us: Math.round(parts.total_us / 100) * 100, told };
}

/** Each hop's own time as shown beside its name: the figure from the sentence, or a finer one if the time is very short. */
function shownParts(parts) {
  const told = new Map(tellParts(parts).told.map(({ name, us }) => [name, us]));
  return new Map([...parts.own].map(([name, us]) => [name, us < FINE_BELOW_US ? us : told.get(name)]));
}

/** Ticks in steps of 1, 2 or 5 (times a power of ten), at most about `most` of them, so that their labels have room. */
export function axisTicks(span, most) {
  const rough = span / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => index * step);
}
