/** The model group, the temperature and the streaming switch as they were chosen last: a new chat begins with them.
 *
 * A conversation that is opened shows what its own last message was asked with, unless the last choice was made in it.
 */

const KEY = "choice";

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // storage may be forbidden; the server's defaults hold then
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

  /** Remembers what stands in the form. */
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
      // storage may be forbidden: the choice then lasts as long as the page
    }
  }

  #apply({ conversation, model, temperature, stream }) {
    if (this.conversation.value && this.conversation.value !== conversation) return;
    if ([...this.model.options].some((option) => option.value === model)) this.model.value = model;
    if (typeof temperature === "string" && temperature) this.temperature.value = temperature;
    if (typeof stream === "boolean") this.stream.checked = stream;
  }
}
