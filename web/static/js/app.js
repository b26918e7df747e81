/** The page's wiring: connects the parts after loading and after every swap. Each part has its own module. */

import { announce, announceAnswer } from "./announcer.js";
import { Chain } from "./chain.js";
import { copyCode, dressBlocks } from "./code_blocks.js";
import { Composer } from "./composer.js";
import { Alert, connectErrors } from "./errors.js";
import { LiveLine } from "./live_line.js";
import { BrowserMarks } from "./marks.js";
import { followText } from "./scroll.js";
import { showConversation } from "./sidebar.js";
import { AnswerStream } from "./stream.js";
import { connectThemeToggle } from "./theme_toggle.js";
import { openWaterfall } from "./waterfall.js";

const turns = document.getElementById("turns");
const alert = new Alert(document.getElementById("alert"));
const composer = new Composer(document.getElementById("composer"), alert, (request) => (current ? current.without(request) : request()));
const chain = new Chain(document.querySelector("[data-role=chain]"));
const scroll = followText(document.getElementById("scroller"), turns, document.querySelector("[data-action=latest]"));

let pressed = null; // the marks of the current request
let current = null; // the stream being read; only one at a time, because a browser allows six connections per host

/** Starts reading the newest unfinished answer, unless one is being read already. */
function readNext(marks = null) {
  if (current?.article.isConnected && !current.over) return;
  current?.close();
  current = null;
  const article = [...turns.querySelectorAll('article[data-state="streaming"]')].at(-1);
  composer.setStreaming(article?.dataset.turnId ?? null);
  if (article) read(article, marks);
}

let latest = null; // the newest stream; the head shows its figures even if they come after its article was replaced

function read(article, marks) {
  const line = new LiveLine(article, marks);
  chain.started();
  const stream = new AnswerStream(article, marks, {
    chunk(count, begun) {
      chain.pulse();
      line.chunk(count, begun);
    },
    connection: (state) => line.connection(state),
    ended() {
      line.stop();
      chain.ended();
      composer.setStreaming(null);
    },
    timed: (hops) => stream === latest && chain.show(hops),
    swapped(stored) {
      dressBlocks(stored.parentElement);
      window.htmx.process(stored);
      announceAnswer(stored);
      readNext();
    },
  });
  current = latest = stream;
  stream.open();
}

document.addEventListener(
  "submit",
  (event) => {
    if (event.target.hasAttribute("hx-post")) pressed = new BrowserMarks();
  },
  true,
);
document.addEventListener("htmx:beforeSend", (event) => {
  pressed?.sent();
  alert.hide();
  if (event.detail.elt === composer.form) composer.sending();
});
document.addEventListener("htmx:afterSwap", () => {
  const marks = pressed;
  pressed = null;
  dressBlocks(turns);
  announce("The answer is being written.");
  readNext(marks);
  scroll.follow();
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.elt === composer.form) composer.answered(event.detail.successful);
});
document.addEventListener("conversation", (event) => {
  composer.setConversation(event.detail.id);
  showConversation(event.detail);
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button?.dataset.action === "example") composer.fill(button.textContent);
  if (button?.dataset.action === "copy-code") copyCode(button);
  if (button?.dataset.action === "waterfall") scroll.stay();
});
document.addEventListener(
  "toggle",
  (event) => {
    if (event.target.matches("details[data-timing-url][open]")) showWaterfall(event.target);
  },
  true, // toggle events do not bubble
);

async function showWaterfall(details) {
  await openWaterfall(details);
  // The chart gets its width in the next frame, and its height is known in the frame after that.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    if (scroll.following() && current && !current.over) return; // the reader has returned to the growing text
    scroll.reveal(details, details.querySelector(".waterfall-chart"));
  }));
}

addEventListener("pagehide", () => current?.close());
addEventListener("pageshow", (event) => event.persisted && readNext());

connectErrors(alert);
connectThemeToggle(document.querySelector("[data-action=theme]"));
dressBlocks(turns);
scroll.follow();
readNext();
document.documentElement.dataset.ready = "true";
