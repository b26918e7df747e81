/** Updates the list of conversations when a message has opened a new one. */

import { address } from "./api.js";

export function showConversation({ id, title }) {
  document.title = `${title} · Streaming chat`;
  document.querySelector("[data-role=title]").textContent = title;
  const list = document.querySelector("[data-role=conversations]");
  const known = list.querySelector(`[data-conversation-id="${CSS.escape(id)}"]`);
  const link = known ?? document.createElement("a");
  link.href = address(`/c/${encodeURIComponent(id)}`);
  link.dataset.conversationId = id;
  link.textContent = title;
  for (const other of list.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
  link.setAttribute("aria-current", "page");
  const item = known ? known.closest("li") : document.createElement("li");
  item.append(link);
  list.prepend(item);
}
