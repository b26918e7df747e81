/** Requests to our own server. Each carries the CSRF token, and every error has the same form. */

const LOST = "The server could not be reached.";

function token() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

/** The address of one of our server's paths, which a proxy may show under a prefix. */
export function address(path) {
  return (document.querySelector('meta[name="base"]')?.content ?? "") + path;
}

/** Posts to a path of our server, with a JSON body if one is given. Resolves with the response; rejects if there is none. */
export function post(path, body) {
  const url = address(path);
  const headers = { "X-CSRF-Token": token(), "HX-Request": "true" };
  if (body === undefined) return fetch(url, { method: "POST", headers });
  headers["Content-Type"] = "application/json";
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body), keepalive: true });
}

/** The error object for a response: `{code, message, retryable}`, whatever its body is. */
export function errorOf(status, text) {
  try {
    const error = JSON.parse(text).error;
    if (typeof error.message === "string") return error;
  } catch {
    // not our error: a proxy's page, or an empty body
  }
  if (status === 0) return { code: "unreachable", message: LOST, retryable: true };
  return { code: "unknown", message: `The server answered with status ${status}.`, retryable: status >= 500 || status === 429 };
}

/** The server's rendering of a turn's answer: `{status, article}`. The status is 0 if the server could not be reached. */
export async function fetchAnswer(turnId) {
  try {
    const response = await fetch(address(`/chat/turns/${encodeURIComponent(turnId)}`), { headers: { "HX-Request": "true" }, cache: "no-store" });
    if (!response.ok) return { status: response.status, article: null };
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    const article = parsed.querySelector("article[data-turn-id]");
    return { status: response.status, article: article && document.adoptNode(article) };
  } catch {
    return { status: 0, article: null };
  }
}
