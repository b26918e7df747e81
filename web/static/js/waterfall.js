/** Draws an answer's waterfall: a sentence that adds up, a row per hop, a timeline of every chunk's arrival, and all marks as a table.
 *
 * The layout is computed in `waterfall_layout.js`; here it becomes SVG, at the width there is, drawn anew when that changes.
 */

import { delivered } from "./marks.js";
import { duration, fineMilliseconds, milliseconds } from "./figures.js";
import { marksTable } from "./marks_table.js";
import { axisTicks, layoutWaterfall, tellParts } from "./waterfall_layout.js";

const SVG = "http://www.w3.org/2000/svg";
const LABELS = 184; // the column of names, where there is room for one
const ROW = 38;
const BAR = 12;
const LANE = 26;
const AXIS = 22;
const LABEL_ROOM = 48;
const GAP = 22;

/** Fetches the timings of a `details[data-timing-url]` and draws them into it, once. */
export async function openWaterfall(details) {
  const target = details.querySelector("[data-role=waterfall]");
  if (target.dataset.drawn) return;
  target.dataset.drawn = "loading";
  try {
    await delivered(details.closest("[data-turn-id]")?.dataset.turnId);
    const response = await fetch(details.dataset.timingUrl, { cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    draw(target, await response.json());
    target.dataset.drawn = "true";
  } catch {
    delete target.dataset.drawn;
    target.replaceChildren(paragraph("The timings could not be fetched. Close and open to try again.", "waterfall-note"));
  }
}

/** Draws `{hops, receipt}` into an element. */
export function draw(target, timing) {
  const hops = timing.hops ?? [];
  if (!hops.length) {
    target.replaceChildren(paragraph("No hop kept a record of this answer.", "waterfall-note"));
    return;
  }
  const layout = layoutWaterfall(hops);
  if (!layout.parts) {
    target.replaceChildren(sentence(layout), marksTable(hops)); // bars of a request that brought nothing would only look like something
    return;
  }
  const chart = document.createElement("div");
  chart.className = "waterfall-chart";
  let width = 0;
  let span = layout.span_us;
  const show = () => chart.replaceChildren(picture(layout, width, span));
  const head = document.createElement("div");
  head.className = "waterfall-head";
  head.append(legend(), ...zoom(layout, (chosen) => {
    span = chosen;
    show();
  }));
  target.replaceChildren(sentence(layout), head, chart, ...notes(layout), marksTable(hops));
  const observer = new ResizeObserver(() => {
    if (!chart.isConnected) return observer.disconnect();
    if (chart.clientWidth && chart.clientWidth !== width) {
      width = chart.clientWidth;
      show();
    }
    return undefined;
  });
  observer.observe(chart);
}

/** Where the wait is a small part of the answer, two buttons: all of it, or the part until the first token. */
function zoom(layout, choose) {
  const first = 1.1 * Math.max(0, ...layout.rows.map((row) => row.wait?.end ?? 0));
  if (!first || first * 2 > layout.span_us) return [];
  const group = document.createElement("div");
  group.className = "waterfall-zoom";
  for (const [label, span] of [["Whole answer", layout.span_us], ["First token", first]]) {
    const button = group.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = label;
    button.setAttribute("aria-pressed", String(span === layout.span_us));
    button.addEventListener("click", () => {
      for (const other of group.children) other.setAttribute("aria-pressed", String(other === button));
      choose(span);
    });
  }
  return [group];
}

function paragraph(text, className) {
  const element = document.createElement("p");
  element.className = className;
  element.append(...[text].flat());
  return element;
}

function strong(text) {
  const element = document.createElement("b");
  element.textContent = text;
  return element;
}

function phrase(name) {
  if (name === "model") return "in the model";
  if (name === "between") return "on the way between them";
  return name;
}

function sentence({ parts }) {
  if (!parts) return paragraph("No chunk arrived, so there is nothing to draw.", "waterfall-sum");
  const { total_us, told } = tellParts(parts);
  const words = told.map(({ name, us }) => `${milliseconds(us)} ${phrase(name)}`);
  const where = parts.own.has("browser") ? "First token on the screen after " : "First token through client_server after ";
  return paragraph([where, strong(milliseconds(total_us)), `: ${words.slice(0, -1).join(", ")} and ${words.at(-1)}.`], "waterfall-sum");
}

function legend() {
  const element = document.createElement("ul");
  element.className = "waterfall-legend";
  element.setAttribute("aria-hidden", "true");
  for (const [kind, text] of [["request", "request"], ["wait", "wait for the first chunk"], ["flow", "streaming"]]) {
    const item = element.appendChild(document.createElement("li"));
    item.dataset.kind = kind;
    item.textContent = text;
  }
  return element;
}

function notes({ rows, burst }) {
  const all = rows.filter((row) => row.resumed).map((row) => `${row.hop} was restarted during this answer: its timings start where it took over.`);
  if (burst) {
    all.push(`Up to ${burst.chunks} chunks reached ${burst.at} at once that had reached ${burst.above} one by one: something between the two holds chunks back.`);
  }
  return all.map((text) => paragraph(text, "waterfall-note"));
}

function node(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** The whole picture. Where it is narrow, names stand above their bars instead of beside them. */
function picture(layout, width, span) {
  const wide = width >= 600;
  const left = wide ? LABELS : 0;
  const rowHeight = wide ? ROW : ROW + 12;
  const scale = (us) => left + (us / span) * (width - left - 1);
  const lanesTop = AXIS + layout.rows.length * rowHeight + GAP;
  const laneHeight = wide ? LANE : LANE + 14;
  const height = lanesTop + layout.lanes.length * laneHeight + 4;
  const svg = node("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "One row per hop; the same figures stand in the table below" });
  svg.append(axis(span, scale, width - left, height));
  layout.rows.forEach((row, index) => svg.append(drawRow(row, AXIS + index * rowHeight, { scale, wide, width, rowHeight })));
  svg.append(node("text", { x: 0, y: lanesTop - 6, class: "wf-caption" }, "Every chunk's arrival"));
  layout.lanes.forEach((lane, index) => svg.append(drawLane(lane, lanesTop + index * laneHeight, { scale, wide, width, laneHeight })));
  return svg;
}

function axis(span, scale, room, height) {
  const group = node("g", { class: "wf-axis" });
  for (const tick of axisTicks(span, Math.min(8, Math.floor(room / 64)))) {
    const x = Math.round(scale(tick)) + 0.5;
    group.append(node("line", { x1: x, x2: x, y1: AXIS - 6, y2: height }));
    if (scale(span) - x < LABEL_ROOM) continue;
    group.append(node("text", { x: x + 4, y: AXIS - 9 }, tick === 0 ? "0" : duration(tick / 1000)));
  }
  return group;
}

function ownTime(row) {
  if (row.own_us === null) return "";
  if (row.derived) return milliseconds(row.own_us);
  const each = row.dwell_us === null ? "" : ` · ${fineMilliseconds(row.dwell_us)} a chunk`;
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
  if (wide) {
    group.append(node("text", { x: 0, y: y + 3, class: "wf-name" }, row.hop), node("text", { x: 0, y: y + 17, class: "wf-own" }, ownTime(row)));
  } else {
    group.append(node("text", { x: 0, y: top + 14, class: "wf-name" }, row.hop));
    group.append(node("text", { x: width, y: top + 14, class: "wf-own", "text-anchor": "end" }, ownTime(row)));
  }
  return group;
}

/** A tick per pixel column, the taller the more chunks share it: a burst stands out. One path, however many chunks. */
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
