/** Remembers the last chosen model group, temperature and streaming switch. A new chat begins with them.
 *
 * An older conversation shows the values of its own last message, unless the last choice was made in that conversation.
 */

const KEY = "choice";

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // storage may be forbidden; then the server's defaults apply
  }
}

export class Choice {
  constructor(form) {
    const { elements } = form;
    this.conversation = elements.namedItem("conversation_id");
    this.model = elements.namedItem("model_group");
    this.temperature = elements.namedItem("temperature");
    this.stream = elements.namedItem("stream");
    this.#apply(remembered());
    for (const control of [this.model, this.temperature, this.stream]) control.addEventListener("change", () => this.keep());
  }

  /** Remembers the values in the form. */
  keep() {
    const chosen = {
      conversation: this.conversation.value,
      model: this.model.value,
      temperature: this.temperature.value,
      stream: this.stream.checked,
    };
    try {
      localStorage.setItem(KEY, JSON.stringify(chosen));
    } catch {
      // storage may be forbidden; then the choice lasts as long as the page
    }
  }

  #apply({ conversation, model, temperature, stream }) {
    if (this.conversation.value && this.conversation.value !== conversation) return;
    if ([...this.model.options].some((option) => option.value === model)) this.model.value = model;
    if (typeof temperature === "string" && temperature) this.temperature.value = temperature;
    if (typeof stream === "boolean") this.stream.checked = stream;
  }
}
