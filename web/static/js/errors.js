/** What went wrong with something that was sent: said in an alert above the composer, with a way to try again. */

import { errorOf } from "./api.js";

export class Alert {
  constructor(element) {
    this.element = element;
  }

  /** Says what happened; `retry`, where it makes sense, is what "Try again" does. */
  show(error, retry) {
    const text = document.createElement("p");
    text.textContent = error.message;
    this.element.replaceChildren(text);
    if (error.retryable && retry) this.#button("Try again", retry);
    this.#button("Dismiss", () => {});
    this.element.hidden = false;
  }

  hide() {
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  #button(label, action) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = label;
    button.addEventListener("click", () => {
      this.hide();
      action();
    });
    this.element.append(button);
  }
}

/** Shows what htmx reports: an answer with an error status, no answer at all, or none in time. */
export function connectErrors(alert) {
  const report = (event, error) => {
    const form = event.detail.elt.closest("form");
    alert.show(error, form && (() => form.requestSubmit()));
  };
  document.addEventListener("htmx:responseError", (event) => {
    const { status, responseText } = event.detail.xhr;
    report(event, errorOf(status, responseText));
  });
  document.addEventListener("htmx:sendError", (event) => {
    report(event, { code: "unreachable", message: "The server could not be reached. What you typed is still here.", retryable: true });
  });
  document.addEventListener("htmx:timeout", (event) => {
    report(event, { code: "timeout", message: "The server did not answer in time. What you typed is still here.", retryable: true });
  });
}
