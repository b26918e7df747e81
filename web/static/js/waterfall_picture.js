/** Draws an answer's waterfall as SVG at a given width: an axis, a row per hop, a lane of arrivals per record, and a final silence. */

import { duration, fineMilliseconds, milliseconds } from "./figures.js";
import { axisTicks } from "./waterfall_layout.js";

const SVG = "http://www.w3.org/2000/svg";
const LABELS = 184; // the width of the column of names, if there is room for one
const ROW = 38;
const BAR = 12;
const LANE = 26;
const AXIS = 22;
const LABEL_ROOM = 48;
const GAP = 22;
const SILENCE_US = 100_000;
const SILENCE_ROOM = 120;
const FRAME_WAIT = "From its arrival until it was painted: a chunk waits for the browser's next animation frame.";

function node(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Whether the time between the last chunk and the end is long enough to be shown. */
export function isSilent({ end }) {
  return end !== null && end.silence_us >= SILENCE_US;
}

/** The whole picture. If it is narrow, names are above their bars instead of beside them. */
export function picture(layout, width, span) {
  const wide = width >= 600;
  const left = wide ? LABELS : 0;
  const rowHeight = wide ? ROW : ROW + 12;
  const scale = (us) => left + (us / span) * (width - left - 1);
  const lanesTop = AXIS + layout.rows.length * rowHeight + GAP;
  const laneHeight = wide ? LANE : LANE + 14;
  const height = lanesTop + layout.lanes.length * laneHeight + 4;
  const svg = node("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "One row per hop; the same figures stand in the table below" });
  svg.append(axis(span, scale, { left, width, height }));
  if (isSilent(layout)) svg.append(drawSilence(layout, { scale, width, height, lanesTop }));
  layout.rows.forEach((row, index) => svg.append(drawRow(row, AXIS + index * rowHeight, { scale, wide, width, rowHeight })));
  svg.append(node("text", { x: 0, y: lanesTop - 6, class: "wf-caption" }, "Every chunk's arrival"));
  layout.lanes.forEach((lane, index) => svg.append(drawLane(lane, lanesTop + index * laneHeight, { scale, wide, width, laneHeight })));
  return svg;
}

/** Each line has its label centred above it. The outermost labels stay within the picture. */
function axis(span, scale, { left, width, height }) {
  const group = node("g", { class: "wf-axis" });
  for (const tick of axisTicks(span, Math.min(8, Math.floor((width - left) / 64)))) {
    const x = Math.round(scale(tick)) + 0.5;
    group.append(node("line", { x1: x, x2: x, y1: AXIS - 6, y2: height }));
    const last = x + LABEL_ROOM / 2 > width;
    const place = tick === 0 ? { x: left, "text-anchor": "start" } : last ? { x: width, "text-anchor": "end" } : { x, "text-anchor": "middle" };
    group.append(node("text", { ...place, y: AXIS - 9 }, tick === 0 ? "0" : duration(tick / 1000)));
  }
  return group;
}

/** The silence between the last chunk and the end, as a band over all rows: no mark tells which hop was silent. */
function drawSilence({ end, flow_end_us }, { scale, width, height, lanesTop }) {
  const group = node("g", { class: "wf-silence" });
  const [from, to] = [scale(flow_end_us), scale(end.at_us)];
  if (from > width || to <= from) return group;
  const text = `${duration(end.silence_us / 1000)} of silence`;
  const band = node("rect", { x: from, y: AXIS - 6, width: to - from, height: height - AXIS + 6 });
  band.append(node("title", {}, text));
  group.append(band, node("line", { x1: to, x2: to, y1: AXIS - 6, y2: height }));
  if (to - from > SILENCE_ROOM && to <= width) group.append(node("text", { x: to - 6, y: lanesTop - 6, "text-anchor": "end" }, text));
  return group;
}

function ownTime(row) {
  if (row.own_us === null) return "";
  if (row.derived) return milliseconds(row.own_us);
  const each = row.dwell_us === null ? "" : ` · ${fineMilliseconds(row.dwell_us)} ${row.hop === "browser" ? "to paint" : "a chunk"}`;
  return `+${fineMilliseconds(row.own_us)}${each}`;
}

function drawRow(row, top, { scale, wide, width, rowHeight }) {
  const group = node("g", { class: "wf-row", "data-hop": row.hop });
  const y = top + (wide ? (rowHeight - BAR) / 2 : 20);
  for (const [kind, part] of [["request", row.request], ["wait", row.wait], ["flow", row.streaming]]) {
    if (!part) continue;
    const x = scale(part.start);
    const bar = node("rect", { class: `wf-bar wf-${kind}`, x, y, width: Math.max(kind === "request" ? 1 : 1.5, scale(part.end) - x), height: BAR, rx: 2 });
    bar.append(node("title", {}, `${row.hop}, ${kind === "flow" ? "streaming" : kind}: ${milliseconds(part.end - part.start)}`));
    group.append(bar);
  }
  const name = { x: 0, y: wide ? y + 3 : top + 14, class: "wf-name" };
  const figures = wide ? { x: 0, y: y + 17 } : { x: width - 6, y: top + 14, "text-anchor": "end" };
  const own = node("text", { ...figures, class: "wf-own" }, ownTime(row));
  if (row.hop === "browser") own.append(node("title", {}, FRAME_WAIT));
  group.append(node("text", name, row.hop), own);
  return group;
}

/** One tick per pixel column; the more chunks share it, the taller it is, so a burst stands out. It is one path for any number of chunks. */
function drawLane(lane, top, { scale, wide, width, laneHeight }) {
  const group = node("g", { class: "wf-lane", "data-hop": lane.hop });
  const base = top + laneHeight - 4;
  const columns = new Map();
  for (const mark of lane.arrivals_us) {
    const x = Math.round(scale(mark));
    if (x > width) break;
    columns.set(x, (columns.get(x) ?? 0) + 1);
  }
  const tallest = LANE - 8;
  const ticks = [...columns].map(([x, count]) => `M${x + 0.5} ${base}v${-Math.min(tallest, 7 + 3.2 * Math.log2(count)).toFixed(1)}`);
  group.append(node("path", { class: "wf-ticks", d: ticks.join("") }));
  group.append(node("line", { class: "wf-ground", x1: scale(0), x2: width, y1: base + 0.5, y2: base + 0.5 }));
  group.append(node("text", { x: 0, y: wide ? base - 3 : top + 12, class: "wf-name" }, lane.hop));
  return group;
}
