/** The composer: its keys, its height, and the switch between Send and Stop. It clears the text only once the server has it. */

import { errorOf, post } from "./api.js";
import { Choice } from "./choice.js";

export class Composer {
  /** `freely(request)` runs a request for which a connection must be free at once. */
  constructor(form, alert, freely) {
    this.form = form;
    this.alert = alert;
    this.freely = freely;
    this.message = form.elements.namedItem("message");
    this.send = form.querySelector("[data-role=send]");
    this.stopButton = form.querySelector("[data-action=stop]");
    this.turnId = null;
    this.sentText = "";
    this.choice = new Choice(form);
    this.#connect();
    this.#fit();
  }

  /** Sets the turn that Stop would stop, or null. */
  setStreaming(turnId) {
    if (turnId === this.turnId) return;
    const hadFocus = document.activeElement === this.stopButton;
    this.turnId = turnId;
    this.stopButton.hidden = turnId === null;
    this.stopButton.disabled = false;
    this.send.hidden = turnId !== null;
    if (hadFocus) this.message.focus();
  }

  setConversation(id) {
    this.form.elements.namedItem("conversation_id").value = id;
    this.choice.keep();
  }

  fill(text) {
    this.message.value = text;
    this.#fit();
    this.message.focus();
    this.message.setSelectionRange(text.length, text.length);
  }

  /** Called when the request with the typed text is about to leave. */
  sending() {
    this.sentText = this.message.value;
    this.send.setAttribute("aria-busy", "true");
  }

  answered(accepted) {
    this.send.removeAttribute("aria-busy");
    if (!accepted) return;
    if (this.message.value.startsWith(this.sentText)) this.message.value = this.message.value.slice(this.sentText.length).trimStart();
    this.#fit();
  }

  async stop() {
    const turnId = this.turnId;
    if (turnId === null || this.stopButton.disabled) return;
    this.stopButton.disabled = true;
    try {
      const response = await this.freely(() => post(`/chat/turns/${encodeURIComponent(turnId)}/stop`));
      if (!response.ok && response.status !== 409) throw errorOf(response.status, await response.text());
    } catch (error) {
      this.stopButton.disabled = false;
      this.alert.show(error.code ? error : errorOf(0, ""), () => this.stop());
    }
  }

  #connect() {
    this.message.addEventListener("input", () => this.#fit());
    this.message.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (this.turnId === null && this.message.value.trim()) this.form.requestSubmit();
    });
    this.stopButton.addEventListener("click", () => this.stop());
    document.addEventListener("keydown", (event) => this.#onPageKey(event));
    const slider = this.form.elements.namedItem("temperature");
    const value = this.form.querySelector("[data-role=temperature]");
    const show = () => (value.textContent = Number(slider.value).toFixed(1));
    slider.addEventListener("input", show);
    show(); // the slider may have a remembered value
  }

  #onPageKey(event) {
    if (event.key === "Escape" && !event.isComposing && !document.querySelector(":popover-open")) this.stop();
    const writing = event.target.closest?.("input:not([type=range], [type=checkbox]), textarea, select, [contenteditable]");
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      this.message.focus();
    }
  }

  #fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.message.style.height = "auto";
    this.message.style.height = `${this.message.scrollHeight}px`;
  }
}
