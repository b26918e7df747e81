/** How a chunk is read: the rule of `wire/chunks.py`, for the page. The tests run both over the same cases.
 *
 * An answer is the first choice. What counts is its `delta`; a `message` counts only if nothing has come before it, since some providers
 * repeat the whole answer in their last chunk. `content` is a text or a list of parts. A token is what carries text, reasoning, a refusal or a
 * tool call.
 */

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const asText = (value) => (typeof value === "string" ? value : "");
const NOTHING = { text: "", refusal: "", isToken: false };
const THINKS = new Set(["thinking", "reasoning"]);

/** The texts in a part's field: a text, or a list of texts and parts of text. */
function textsOf(value) {
  return (Array.isArray(value) ? value : [value]).map((item) => asText(isObject(item) ? item.text : item)).join("");
}

/** The text of the answer in `content`, and whether it holds a token of any kind. */
function readContent(content) {
  if (typeof content === "string") return { text: content, carries: content !== "" };
  let text = "";
  let carries = false;
  for (const part of Array.isArray(content) ? content : []) {
    if (typeof part === "string") text += part;
    else if (isObject(part)) {
      const said = textsOf(part.text);
      if (!THINKS.has(part.type)) text += said;
      carries ||= (said || textsOf(part.thinking) || textsOf(part.refusal)) !== "";
    }
  }
  return { text, carries: carries || text !== "" };
}

const partsOf = (content) => (Array.isArray(content) ? content.filter(isObject) : []);

function readDelta(delta) {
  const { text, carries } = readContent(delta.content);
  const refusal = asText(delta.refusal) || partsOf(delta.content).map((part) => textsOf(part.refusal)).join("");
  const more = asText(delta.reasoning_content) || asText(delta.reasoning) || refusal;
  const calls = Array.isArray(delta.tool_calls) ? delta.tool_calls.some(isObject) : isObject(delta.function_call) && delta.tool_calls == null;
  return { text, refusal, isToken: carries || more !== "" || calls };
}

/** Reads the chunks of one answer, in the order in which they come. */
export class ChunkReader {
  constructor() {
    this.begun = false;
  }

  /** The text that this chunk adds to the answer, what it adds to a refusal, and whether it is a token. */
  read(chunk) {
    const choice = Array.isArray(chunk?.choices) ? chunk.choices[0] : null;
    if (!isObject(choice)) return NOTHING;
    let piece = isObject(choice.delta) ? readDelta(choice.delta) : NOTHING;
    if (!this.begun && !piece.isToken && isObject(choice.message)) piece = readDelta(choice.message);
    this.begun ||= piece.isToken;
    return piece;
  }
}
