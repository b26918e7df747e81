/** What a screen reader is told: that an answer has begun, and its text once it is whole. Never each token. */

const SHORT = 700;

export function announce(text) {
  const announcer = document.getElementById("announcer");
  announcer.textContent = "";
  requestAnimationFrame(() => (announcer.textContent = text)); // the same words twice are announced twice
}

/** Speaks a short answer, and says of a long one that it is there to be read. */
export function announceAnswer(article) {
  const error = article.querySelector("[data-role=error]:not([hidden]) [data-role=error-message]");
  const text = article.querySelector("[data-role=content]").textContent.trim();
  const said = text.length <= SHORT ? text : `${text.slice(0, SHORT).replace(/\S*$/, "")} … The rest is on the page.`;
  announce([error?.textContent.trim(), said && `Answer: ${said}`].filter(Boolean).join(" "));
}
