/** Finds addresses in an answer's text, and decides where a link may lead. `client_server/addresses.py` has the same rules for the
 * stored answer; the two must agree.
 *
 * Strategy. Text comes in pieces, and a cut may fall inside an address. Characters that may begin an address (eight at most) are held
 * back until the next piece. An address that has begun grows as a link without a target and gets its target where it ends. So each
 * character is read once or twice, however long the answer is.
 */

const SCHEMES = new Set(["http:", "https:", "mailto:"]);
const START = /<?https?:\/\/(?=[a-z0-9])|<mailto:(?=[a-z0-9])/giu;
const BEGINNING = /(?:<?h(?:t(?:t(?:ps?(?::(?:\/\/?)?)?)?)?)?|<(?:m(?:a(?:i(?:l(?:to?:?)?)?)?)?)?)$/iu;
const BEGINNING_LENGTH = 9;
// Excludes white space, control characters, and the characters that Markdown or a sentence in any script may put around an address.
const BODY = /^[^\u0000-\u0020"$*<>[\\\]`|\u007f-\u00a0\u1680\u2000-\u206f\u3000-\u303f\ufeff\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+/u;
const UNFIT_BEFORE = /(?:[\p{L}\p{N}=]|=["'])$/u; // inside a word, or in markup that is shown as text
const ENTITY = /&[a-z0-9#]{1,10};$/iu;
const ENTITY_LENGTH = 12;

/** The address if a link may lead to it, otherwise null. A relative address gives null: the model has no business with our own pages. */
export function allowedHref(address) {
  try {
    const url = new URL(address);
    return SCHEMES.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export function setHref(element, address) {
  const href = allowedHref(address);
  if (href === null) return;
  element.href = href;
  element.target = "_blank";
  element.rel = "noopener noreferrer nofollow";
}

/** The length of the address in `text`. Punctuation at the end belongs to the sentence; so does a bracket not opened in the address. */
function addressLength(text) {
  let end = text.length;
  let unopened = text.split(")").length - text.split("(").length;
  for (;;) {
    const last = text[end - 1];
    if (last === ")" && unopened > 0) unopened -= 1;
    else if (!"?!.,:;_~'".includes(last)) return end;
    const entity = last === ";" ? ENTITY.exec(text.slice(Math.max(0, end - ENTITY_LENGTH), end)) : null;
    end -= entity ? entity[0].length : 1;
  }
}

/** Appends runs of text and turns the addresses in them into links. A run ends where an element begins or ends. */
export class Addresses {
  constructor() {
    this.parent = null;
    this.held = "";
    this.before = ""; // the last one or two characters of this run on the page
    this.link = null; // the link of the growing address
    this.bracketed = false; // whether a `<` came before it; the `<` is shown only if no `>` follows
  }

  /** Whether an address is growing. */
  get growing() {
    return this.link !== null;
  }

  add(parent, text) {
    this.parent = parent;
    let rest = this.held + text;
    this.held = "";
    while (rest) rest = this.link ? this.#grow(rest) : this.#seek(rest);
  }

  /** Ends the run. */
  end() {
    if (this.link) this.#finish("");
    if (this.held) this.#show(this.held);
    this.held = this.before = "";
  }

  #show(text) {
    this.parent.append(text);
    this.before = (this.before + text).slice(-2);
  }

  #mayBegin(text, index) {
    return text[index] === "<" || !UNFIT_BEFORE.test((this.before + text.slice(Math.max(0, index - 2), index)).slice(-2));
  }

  #seek(text) {
    START.lastIndex = 0;
    for (let match = START.exec(text); match; match = START.exec(text)) {
      if (this.#mayBegin(text, match.index)) return this.#begin(text, match);
    }
    const from = Math.max(0, text.length - BEGINNING_LENGTH);
    const beginning = BEGINNING.exec(text.slice(from));
    const cut = beginning && this.#mayBegin(text, from + beginning.index) ? from + beginning.index : text.length;
    this.held = text.slice(cut);
    if (cut) this.#show(text.slice(0, cut));
    return "";
  }

  #begin(text, { 0: start, index }) {
    if (index) this.#show(text.slice(0, index));
    this.bracketed = start.startsWith("<");
    this.link = this.parent.appendChild(document.createElement("a"));
    return text.slice(index + (this.bracketed ? 1 : 0));
  }

  #grow(text) {
    const size = BODY.exec(text)?.[0].length ?? 0;
    if (size) this.link.append(text.slice(0, size));
    if (size === text.length) return "";
    return text.slice(size + (this.#finish(text[size]) ? 1 : 0));
  }

  /** Ends the address before the character `next`. True if `next` belongs to the address. */
  #finish(next) {
    const { link, bracketed } = this;
    const text = link.textContent;
    const closed = bracketed && next === ">";
    this.link = null;
    this.before = text.slice(-2);
    if (bracketed && !closed) link.before("<");
    if (!closed && text.toLowerCase().startsWith("mailto:")) {
      link.replaceWith(text);
      return false;
    }
    const size = closed ? text.length : addressLength(text);
    setHref(link, text.slice(0, size));
    if (size < text.length) {
      link.textContent = text.slice(0, size);
      link.after(text.slice(size));
    }
    return closed;
  }
}
