"""Samples of every kind of Markdown that a chat page has to draw. A prompt can ask for each of them."""

from __future__ import annotations

INTRO = """\
# A Markdown sampler

A paragraph with **bold**, *italic*, ***both***, ~~struck out~~ and `inline code`. Two spaces at a line's end\x20\x20
break it, and an escaped \\*asterisk\\* stays one.
"""

LISTS = """\
## Lists

- Frames
  - a chunk carries a piece of the answer
  - `[DONE]` ends it
- Hops
  1. the model
  2. the gateway
  3. the middle tier
- The page, where it all ends up
"""

TABLE = """\
## A table

| model | first token | per token | tokens per second |
|:------|:-----------:|----------:|------------------:|
| `demo-fast` | 300 ms | 20 ms | 50 |
| `demo-balanced` | 400 ms | 35 ms | 28.6 |
| `demo-quality` | 500 ms | 50 ms | 20 |
"""

CODE = {
    "python": '''\
```python
async def relay(log: StreamLog, index: int, send: Send) -> None:
    """Writes what is there at once, then waits for more."""
    reader = log.reader(index)
    while frames := await reader.next():
        await send(b"".join(frames))
```
''',
    "javascript": """\
```javascript
const events = new EventSource("/chat/turns/42/events");
events.onmessage = ({ data }) => {
  if (data === "[DONE]") return events.close();
  text += JSON.parse(data).choices[0]?.delta?.content ?? "";
};
```
""",
    "sql": """\
```sql
UPDATE calls
   SET status = 'finished', finished_at = CURRENT_TIMESTAMP
 WHERE call_id = :call_id
   AND status IN ('streaming');
```
""",
    "bash": """\
```bash
curl -N "$DEMO_LLM_URL/v1/chat/completions" \\
  -H 'Content-Type: application/json' \\
  -d '{"model": "demo-fast", "stream": true, "messages": [{"role": "user", "content": "count to 10"}]}'
```
""",
    "html": """\
```html
<article data-state="streaming" aria-live="polite">
  <div data-role="content">Text &amp; more text</div>
</article>
```
""",
    "json": """\
```json
{"choices": [{"index": 0, "delta": {"content": " token"}, "finish_reason": null}]}
```
""",
}

QUOTE = """\
## A quotation

> What has arrived is not yours to keep.
>
> > Pass it on.
"""

LINKS = """\
## Links

- [Server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html), the standard
- [EventSource](https://developer.mozilla.org/en-US/docs/Web/API/EventSource), how a browser reads them
- <https://commonmark.org/>, for everything above

---

That was all of it, and 東京, naïve, 👩‍🚀 and 🇫🇷 got through in one piece.
"""


def everything() -> str:
    """All samples, as one page."""
    return "\n".join((INTRO, LISTS, TABLE, "## Code\n", "\n".join(CODE.values()), QUOTE, LINKS))


def code(language: str | None) -> str:
    """One block of code in the language; one block in each language if it is None."""
    return CODE[language] if language else "\n".join(CODE.values())
