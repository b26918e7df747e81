/** Renders Markdown while it arrives. streaming-markdown is the parser; this is its renderer.
 *
 * Strategy. The parser only appends and never changes what is rendered, so a token costs the same at the end of an answer as at
 * its beginning. Text becomes text nodes, and its addresses become links, so HTML in an answer stays text. A link gets its address only
 * if the scheme is on an allow-list. Images become links, since a picture would be fetched from a stranger's server. The parser has limits
 * (nesting depth, unfinished constructs), and so has a browser that lays out a long text again for each token. Beyond them the answer is shown as
 * plain text, until the server's rendering replaces it.
 */

import * as smd from "../vendor/streaming-markdown.min.js";
import { Addresses, setHref } from "./addresses.js";
import { codeBlock } from "./code_blocks.js";

const MAX_DEPTH = 20; // the parser's own stack holds 24
const MAX_PENDING = 4096;
const MAX_RENDERED = 100_000; // characters, for the whole answer
const SLICE = 2048;
const BLOCK = 4096; // characters of plain text that are laid out together

const TAGS = new Map([
  [smd.PARAGRAPH, "p"], [smd.LINE_BREAK, "br"], [smd.RULE, "hr"], [smd.BLOCKQUOTE, "blockquote"],
  [smd.HEADING_1, "h1"], [smd.HEADING_2, "h2"], [smd.HEADING_3, "h3"], [smd.HEADING_4, "h4"], [smd.HEADING_5, "h5"], [smd.HEADING_6, "h6"],
  [smd.ITALIC_AST, "em"], [smd.ITALIC_UND, "em"], [smd.STRONG_AST, "strong"], [smd.STRONG_UND, "strong"], [smd.STRIKE, "s"],
  [smd.CODE_INLINE, "code"], [smd.LINK, "a"], [smd.IMAGE, "a"],
  [smd.LIST_UNORDERED, "ul"], [smd.LIST_ORDERED, "ol"], [smd.LIST_ITEM, "li"],
  [smd.EQUATION_INLINE, "span"], [smd.EQUATION_BLOCK, "div"],
]);

class TooDeep extends Error {}

function openTableRow(parent) {
  const section = parent.children.length === 0 ? "thead" : "tbody";
  const last = parent.lastElementChild;
  return (last && last.localName === section ? last : parent.appendChild(document.createElement(section))).appendChild(document.createElement("tr"));
}

function openTable(parent) {
  const scroller = parent.appendChild(document.createElement("div"));
  scroller.className = "table-scroll";
  return scroller.appendChild(document.createElement("table"));
}

function openCheckbox(parent) {
  const box = parent.appendChild(document.createElement("input"));
  box.type = "checkbox";
  box.disabled = true;
  return box;
}

function openCode(parent) {
  const { block, code } = codeBlock("");
  parent.append(block);
  return code;
}

function open(parent, type) {
  switch (type) {
    case smd.TABLE: return openTable(parent);
    case smd.TABLE_ROW: return openTableRow(parent);
    case smd.TABLE_CELL: return parent.appendChild(document.createElement(parent.parentElement.localName === "thead" ? "th" : "td"));
    case smd.CHECKBOX: return openCheckbox(parent);
    case smd.CODE_BLOCK:
    case smd.CODE_FENCE: return openCode(parent);
    default: return parent.appendChild(document.createElement(TAGS.get(type) ?? "span"));
  }
}

function isEquation(type) {
  return type === smd.EQUATION_INLINE || type === smd.EQUATION_BLOCK;
}

function setLanguage(code, name) {
  const language = name.trim().split(/\s/, 1)[0].slice(0, 32);
  if (!language) return;
  const label = code.closest(".code-block")?.querySelector("[data-role=language]");
  if (label) label.textContent = language;
}

// The tokens in which an address stays text: links and code.
const LITERAL = new Set([smd.LINK, smd.IMAGE, smd.CODE_INLINE, smd.CODE_BLOCK, smd.CODE_FENCE]);
const WORD = /[\p{L}\p{N}]$/u;

/** The callbacks for streaming-markdown. `stack` holds the open elements, `types` their tokens, `before` the end of the last text.
 *
 * Unlike CommonMark, the parser takes the underscore in `client_server` for the start of emphasis; `undo` takes back the token that it
 * has just opened. The parser's own addresses include everything up to the next space, so they are undone as well, and `addresses`
 * finds the addresses instead. After this undo the parser passes the scheme twice, and `twice` drops one of them.
 */
function renderer(root, undo) {
  const stack = [root];
  const types = [0];
  const addresses = new Addresses();
  let before = "";
  let twice = false;
  const top = () => stack[stack.length - 1];
  function write(text) {
    if (types.some((type) => LITERAL.has(type))) top().append(text);
    else addresses.add(top(), text);
  }
  return {
    data: null,
    add_token(_, type) {
      if ((type === smd.ITALIC_UND || type === smd.STRONG_UND) && (addresses.growing || WORD.test(before))) {
        write(type === smd.ITALIC_UND ? "_" : "__");
        undo();
        return;
      }
      if (type === smd.RAW_URL) {
        twice = true;
        undo();
        return;
      }
      addresses.end();
      before = "";
      if (stack.length >= MAX_DEPTH) throw new TooDeep();
      stack.push(open(top(), type));
      types.push(type);
      if (isEquation(type)) top().append("$"); // we do not render mathematics, so the `$` that the parser removed is put back
    },
    end_token() {
      addresses.end();
      if (isEquation(types.pop())) top().append("$");
      stack.pop();
      before = "";
    },
    add_text(_, parsed) {
      const text = twice ? parsed.replace(/^https?:\/\//, "") : parsed;
      twice = false;
      write(text);
      before = text.slice(-2); // two, because a letter may be a surrogate pair
    },
    /** Called when no more text will come. */
    finish: () => addresses.end(),
    set_attr(_, type, value) {
      if (type === smd.HREF || type === smd.SRC) setHref(top(), value);
      else if (type === smd.LANG) setLanguage(top(), value);
      else if (type === smd.CHECKED) top().checked = true;
      else if (type === smd.START) top().start = Number.parseInt(value, 10) || 1;
    },
  };
}

/** Cuts text into pieces without splitting a surrogate pair. */
function* slices(text) {
  for (let start = 0; start < text.length;) {
    let end = Math.min(start + SLICE, text.length);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end += 1;
    yield text.slice(start, end);
    start = end;
  }
}

/** Renders into `root`, which must be empty. */
export class MarkdownStream {
  constructor(root) {
    this.root = root;
    this.renderer = renderer(root, () => {
      this.parser.len -= 1;
      this.parser.token = this.parser.tokens[this.parser.len];
    });
    this.parser = smd.parser(this.renderer);
    this.text = "";
    this.plain = null; // the element for all text once the parser has reached a limit
  }

  write(text) {
    for (const piece of slices(text)) {
      this.text += piece;
      if (this.plain) this.#append(piece);
      else if (this.text.length > MAX_RENDERED) this.#goPlain();
      else this.#parse(piece);
    }
  }

  /** Makes the parser write its last characters, which it holds back until it knows what they mean. */
  end() {
    if (this.plain) return;
    try {
      smd.parser_end(this.parser);
    } catch {
      // only markup can be missing here; all the text is there
    }
    this.renderer.finish();
  }

  #parse(piece) {
    try {
      smd.parser_write(this.parser, piece);
    } catch {
      this.#goPlain();
      return;
    }
    if (this.parser.pending.length > MAX_PENDING) this.#goPlain();
  }

  #goPlain() {
    this.plain = document.createElement("div");
    this.plain.className = "plain";
    this.root.replaceChildren(this.plain);
    for (const piece of slices(this.text)) this.#append(piece);
  }

  /** Adds plain text in blocks, each of which is laid out by itself. They end with a line if there is one. */
  #append(piece) {
    const last = this.plain.lastElementChild;
    const end = last && last.textContent.length > BLOCK ? piece.indexOf("\n") + 1 || (last.textContent.length > 4 * BLOCK ? -1 : piece.length) : piece.length;
    if (!last || end === -1) this.plain.appendChild(document.createElement("div")).append(piece);
    else {
      last.append(piece.slice(0, end));
      if (end < piece.length) this.plain.appendChild(document.createElement("div")).append(piece.slice(end));
    }
  }
}
