/** Code blocks with their language and a copy button. Streamed code and the server's code look the same. */

const COPIED_MS = 1600;

/** A new, empty code block: `{block, code}`. */
export function codeBlock(language) {
  const pre = document.createElement("pre");
  const code = pre.appendChild(document.createElement("code"));
  return { block: frame(pre, language), code };
}

function frame(body, language) {
  const block = document.createElement("div");
  block.className = "code-block";
  const head = block.appendChild(document.createElement("div"));
  head.className = "code-head";
  const label = head.appendChild(document.createElement("span"));
  label.dataset.role = "language";
  label.textContent = language;
  const button = head.appendChild(document.createElement("button"));
  button.type = "button";
  button.className = "copy";
  button.dataset.action = "copy-code";
  button.textContent = "Copy";
  block.append(body);
  return block;
}

function languageOf(pre) {
  const holder = pre.closest("[data-language]");
  if (holder) return holder.dataset.language;
  const code = pre.querySelector("code");
  const named = /(?:^|\s)language-([^\s]+)/.exec(`${code?.className ?? ""} ${pre.className} ${pre.parentElement?.className ?? ""}`);
  return named ? named[1] : "";
}

/** Makes the server's code blocks and tables below `root` look like the streamed ones. */
export function dressBlocks(root) {
  for (const pre of root.querySelectorAll("[data-role=content] pre")) {
    if (pre.closest(".code-block")) continue;
    const body = pre.closest(".highlight") ?? pre;
    const mark = document.createComment("");
    body.before(mark);
    mark.replaceWith(frame(body, languageOf(pre)));
  }
  for (const table of root.querySelectorAll("[data-role=content] table")) {
    if (table.closest(".table-scroll")) continue;
    const scroller = document.createElement("div");
    scroller.className = "table-scroll";
    table.replaceWith(scroller);
    scroller.append(table);
  }
}

/** Handles a click on a copy button. */
export async function copyCode(button) {
  const text = button.closest(".code-block")?.querySelector("pre")?.textContent ?? "";
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    said = "Not allowed"; // the browser denies access to the clipboard, for instance without HTTPS
  }
  button.textContent = said;
  setTimeout(() => (button.textContent = "Copy"), COPIED_MS);
}
