/** All marks of an answer's hops as a table, for people who want the exact figures or cannot see the picture. */

import { milliseconds } from "./figures.js";

const ROWS = [
  ["Request sent upstream", (hop) => time(hop.upstream_sent_us)],
  ["Headers from upstream", (hop) => time(hop.upstream_headers_us)],
  ["First token in", (hop) => time(hop.first_in_us)],
  ["First token out", (hop) => time(hop.first_out_us)],
  ["Last chunk in", (hop) => time(hop.last_in_us)],
  ["Last chunk out", (hop) => time(hop.last_out_us)],
  ["Held per chunk, p50", (hop) => held(hop.dwell_us?.p50)],
  ["Held per chunk, p99", (hop) => held(hop.dwell_us?.p99)],
  ["Held per chunk, longest", (hop) => held(hop.dwell_us?.max)],
  ["Chunks", (hop) => count(hop.frames)],
  ["Reads", (hop) => count(hop.reads)],
  ["Bytes", (hop) => count(hop.bytes)],
];

const missing = (value) => value === null || value === undefined;
const time = (us) => (missing(us) ? "–" : milliseconds(us));
const held = (us) => (missing(us) ? "–" : `${(us / 1000).toFixed(3)} ms`);
const count = (value) => (missing(value) ? "–" : String(value));

function cell(name, text, scope) {
  const element = document.createElement(name);
  element.textContent = text;
  if (scope) element.scope = scope;
  return element;
}

/** `hops` are upstream first; the table's columns start with the browser, as the chain does. */
export function marksTable(hops) {
  const columns = [...hops].reverse();
  const details = document.createElement("details");
  details.className = "marks";
  details.append(cell("summary", "All marks as a table"));
  details.append(cell("p", "Each column is counted from the moment that hop's own request arrived, on its own clock."));
  const scroller = details.appendChild(document.createElement("div"));
  scroller.className = "table-scroll";
  const table = scroller.appendChild(document.createElement("table"));
  const head = table.createTHead().insertRow();
  head.append(cell("td", ""), ...columns.map((hop) => cell("th", hop.hop, "col")));
  const body = table.createTBody();
  for (const [name, value] of ROWS) {
    body.insertRow().append(cell("th", name, "row"), ...columns.map((hop) => cell("td", value(hop))));
  }
  return details;
}
