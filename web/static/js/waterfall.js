/** Shows an answer's waterfall: a sentence with the parts and their sum, a row per hop, a timeline of every chunk's arrival, and a table.
 *
 * `waterfall_layout.js` computes the layout. `waterfall_picture.js` draws it, again whenever the width changes.
 */

import { delivered } from "./marks.js";
import { milliseconds } from "./figures.js";
import { marksTable } from "./marks_table.js";
import { layoutWaterfall, tellParts } from "./waterfall_layout.js";
import { isSilent, picture } from "./waterfall_picture.js";

const ENDS = { failed: "the answer failed", cancelled: "it was stopped", interrupted: "it was interrupted" };

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

/** Draws an answer's timing, `{state, streaming, ended_us, hops}` as the server sends it, into an element. */
export function draw(target, timing) {
  const hops = timing.hops ?? [];
  if (!hops.length) {
    target.replaceChildren(paragraph("No hop kept a record of this answer.", "waterfall-note"));
    return;
  }
  const layout = layoutWaterfall(hops, timing.ended_us);
  if (!layout.parts) {
    target.replaceChildren(nothingCame(timing), marksTable(hops)); // without any chunk, bars would be misleading
    return;
  }
  const chart = document.createElement("div");
  chart.className = "waterfall-chart";
  let width = 0;
  let span = layout.span_us;
  const show = () => chart.replaceChildren(picture(layout, width, span));
  const head = document.createElement("div");
  head.className = "waterfall-head";
  head.append(legend(layout), ...zoom(layout, (chosen) => {
    span = chosen;
    show();
  }));
  target.replaceChildren(sentence(layout, timing), head, chart, ...notes(layout), marksTable(hops));
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

/** Two buttons, if the wait is a small part of the answer: show all of it, or only the part until the first token. */
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

function nothingCame({ ended_us }) {
  const waited = ended_us ? [" in ", strong(milliseconds(ended_us))] : [];
  return paragraph(["No chunk arrived", ...waited, ", so there is nothing to draw."], "waterfall-sum");
}

function sentence(layout, { state, streaming }) {
  const { total_us, told } = tellParts(layout.parts);
  const words = told.map(({ name, us }) => `${milliseconds(us)} ${phrase(name)}`);
  const what = streaming === false ? "Answer" : "First token";
  const here = layout.rows[0].resumed ? "through client_server, counted from its restart," : "through client_server";
  const where = layout.parts.own.has("browser") ? "on the screen" : here;
  const sum = [`${what} ${where} after `, strong(milliseconds(total_us)), `: ${words.slice(0, -1).join(", ")} and ${words.at(-1)}.`];
  if (!isSilent(layout)) return paragraph(sum, "waterfall-sum");
  const end = ENDS[state] ?? "the end came";
  return paragraph([...sum, " The last chunk was followed by ", strong(milliseconds(layout.end.silence_us)), ` of silence, until ${end}.`], "waterfall-sum");
}

function legend(layout) {
  const element = document.createElement("ul");
  element.className = "waterfall-legend";
  element.setAttribute("aria-hidden", "true");
  const kinds = [["request", "request"], ["wait", "wait for the first token"], ["flow", "streaming"]];
  if (isSilent(layout)) kinds.push(["silence", "silence until the end"]);
  for (const [kind, text] of kinds) {
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
  if (rows[0].hop === "browser") all.push("browser: its times include the wait for the next animation frame.");
  return all.map((text) => paragraph(text, "waterfall-note"));
}
