/** Markdown, rendered while it arrives: streaming-markdown does the parsing, this is its renderer.
 *
 * Strategy. The parser appends; what was rendered is never touched again, so a token costs the same at the answer's end as at
 * its beginning. Text becomes text nodes and links of its addresses, so HTML in an answer stays text. Links get an address only if its
 * scheme is on a list; images become links, since a picture would be fetched from a stranger's server. The parser has limits of its own (nesting
 * depth, unfinished constructs); past them the answer is shown as plain text, and the server's rendering at the end puts it right.
 */

import * as smd from "../vendor/streaming-markdown.min.js";
import { Addresses, setHref } from "./addresses.js";
import { codeBlock } from "./code_blocks.js";

const MAX_DEPTH = 20; // the parser's own stack holds 24
const MAX_PENDING = 4096;
const SLICE = 2048;

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

// Where an address stays text: inside a link, and in code.
const LITERAL = new Set([smd.LINK, smd.IMAGE, smd.CODE_INLINE, smd.CODE_BLOCK, smd.CODE_FENCE]);
const WORD = /[\p{L}\p{N}]$/u;

/** What streaming-markdown calls while it parses. `stack` holds the open elements, `types` their tokens, `before` the text just added.
 *
 * The parser takes the underscore in `client_server` for the beginning of emphasis, which CommonMark does not; `undo` takes the token
 * that it has just opened back. So it does with the parser's own addresses, which swallow all up to the next space: text that holds
 * addresses is `addresses`' affair. The parser hands their scheme over twice then, and `twice` drops it once.
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
      if (isEquation(type)) top().append("$"); // no mathematics here, so what the parser took away goes back
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
      before = text.slice(-2); // two, for a letter that is a surrogate pair
    },
    /** No more text will come. */
    finish: () => addresses.end(),
    set_attr(_, type, value) {
      if (type === smd.HREF || type === smd.SRC) setHref(top(), value);
      else if (type === smd.LANG) setLanguage(top(), value);
      else if (type === smd.CHECKED) top().checked = true;
      else if (type === smd.START) top().start = Number.parseInt(value, 10) || 1;
    },
  };
}

/** Cuts text into pieces that do not tear a surrogate pair. */
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
    this.plain = null; // the element that takes all text, once the parser has met its limits
  }

  write(text) {
    for (const piece of slices(text)) {
      this.text += piece;
      if (this.plain) this.plain.append(piece);
      else this.#parse(piece);
    }
  }

  /** The parser holds its last characters back until it knows what they are: there is nothing more to know. */
  end() {
    if (this.plain) return;
    try {
      smd.parser_end(this.parser);
    } catch {
      // only markup can be left over here; the text is all there
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
    this.plain.append(this.text);
    this.root.replaceChildren(this.plain);
  }
}
