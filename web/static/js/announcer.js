/** Tells a screen reader that an answer has begun, and its text once it is complete. It never announces single tokens. */

const SHORT = 700;

export function announce(text) {
  const announcer = document.getElementById("announcer");
  announcer.textContent = "";
  requestAnimationFrame(() => (announcer.textContent = text)); // cleared first, so that the same words are announced again
}

/** Announces a short answer in full. Of a long one, it announces the beginning and says that the rest is on the page. */
export function announceAnswer(article) {
  const error = article.querySelector("[data-role=error]:not([hidden]) [data-role=error-message]");
  const text = article.querySelector("[data-role=content]").textContent.trim();
  const said = text.length <= SHORT ? text : `${text.slice(0, SHORT).replace(/\S*$/, "")} … The rest is on the page.`;
  announce([error?.textContent.trim(), said && `Answer: ${said}`].filter(Boolean).join(" "));
}
