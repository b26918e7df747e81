/** Shows in an alert above the composer why a request failed, with a button to try again. */

import { errorOf } from "./api.js";

export class Alert {
  constructor(element) {
    this.element = element;
  }

  /** Shows what happened. "Try again" appears if the error is retryable, and calls `retry`. */
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

/** Shows the errors that htmx reports: an error status, no response, or no response in time. */
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
