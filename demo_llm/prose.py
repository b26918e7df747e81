"""The model's texts about this product, and its poems. They are templates for `demo_llm.wording`."""

from __future__ import annotations

import re


def _verse(text: str) -> str:
    """The text with line breaks that Markdown keeps: two spaces before each line end inside a verse."""
    return re.sub(r"(?<=\S)\n(?=\S)", "  \n", text)


CHAIN = """\
## How this answer reaches you

Three servers and a page stand between a model and your eyes, and ‹none of them keeps anything back¦not one of them waits for a fuller \
bucket›:

| hop | what it does |
|---|---|
| **the model** | writes tokens. That is me: simulated, behind a real HTTP server |
| **saas_api** | the gateway: knows teams, keys, model groups and cost |
| **client_server** | the middle tier: holds the credentials, keeps your conversations |
| **the page**, in your browser | draws what has arrived, once per animation frame |

### The way of one word

1. I write a token and send it off as a `chat.completion.chunk`, ‹before I have thought of the next¦without waiting for the next one›.
2. The gateway puts an `id` in front, appends the frame to the call's log, and writes it out in the same moment.
3. The middle tier checks that this is the id that must come next, and forwards **the same bytes**; it does not decode them.
4. `EventSource` hands the chunk to the page, which renders the Markdown as it grows.

### Three promises

- **Nothing waits.** No hop buffers, and each one tells the proxies around it not to.
- **Nothing is lost.** The answer belongs to the server, not to the connection: reload the page in the middle of this sentence and see.
- **Nothing is hidden.** Every hop measures itself. Open the *waterfall* under this answer to see where each millisecond went.

‹Ask me¦You can ask me› about *buffering*, *resuming*, *stopping* or *the waterfall*, or just say `count to 100` and press **Stop**.
"""

BUFFERING = """\
## Why nothing buffers

A stream is only as quick as its laziest hop. One proxy that collects 4 KiB before it passes anything on turns a model that \
‹types¦writes› into one that stutters. So each hop here does four plain things:

- It writes a frame **as soon as it has arrived**: one append to a log, one wake-up, one `send`. There is no queue with a timer.
- It sends `X-Accel-Buffering: no` and `Cache-Control: no-cache, no-transform`, so that proxies in between neither hold chunks nor \
rewrite them.
- It never compresses an event stream; a compressor likes to wait until it has something worth compressing.
- It keeps `TCP_NODELAY` on, so that the kernel does not wait for more either.

```http
HTTP/1.1 200 OK
Content-Type: text/event-stream; charset=utf-8
Cache-Control: no-cache, no-transform
X-Accel-Buffering: no
```

You can check it yourself: switch **Streaming** off and send the same prompt again. The total is the same; the time to the first word \
is not.
"""

RESUMING = """\
## How resuming works

Every frame from the gateway carries an `id`, counted from 0 without gaps. It is the frame's index in the call's **log**, and the same \
number at every hop.

1. Your browser remembers the last id that it has seen.
2. The connection breaks: a reload, a tunnel, a laptop lid, a server that was restarted.
3. The browser comes back by itself and says `Last-Event-ID: 41`.
4. The server reads its log from 42 on. ‹What was missed comes in one write, and then the stream goes on live.¦You get what you missed \
at once, then the rest as it is written.›

Meanwhile the model has not noticed anything: **a generation belongs to the server, not to the connection**. If the middle tier itself \
dies, its next start finds the unfinished answer, attaches to the gateway's log again, and goes on. The text you end up with is byte \
for byte what the model wrote.

> Try it now: reload this page while I am still writing.
"""

STOPPING = """\
## What Stop does

**Stop** ends the answer where it is generated, not just where it is shown. The page asks the middle tier, which asks the gateway to \
cancel the call, which closes the connection to the model. A model that has lost its reader stops at once, so nothing is generated (or \
paid for) that nobody will read.

What had already arrived stays in the conversation, and the answer is marked as *cancelled*. Closing the tab is ‹something \
else¦different›: then the answer goes on being written, and is there when you come back.

To see it, say `count to 500` and press **Stop** (or `Esc`).
"""

WATERFALL = """\
## What the waterfall shows

Under every answer there is one row per hop: the **browser**, **client_server**, **saas_api** and the **model**. Each row has three \
parts:

| part | from | to |
|---|---|---|
| *request* | the request arrived at this hop | it was sent on to the hop above |
| *waiting* | sent on | the first chunk came back |
| *streaming* | the first chunk | the last one |

The rows nest: each hop's wait contains the next one's, and ‹the difference is what the hop itself added¦what sticks out is the hop's \
own doing›. Every duration comes from **one** clock of one machine. Clocks of two machines are never subtracted, because they never \
agree.

Beneath the rows there is a dot for every chunk at every hop. An even row of dots is a healthy hop; dots in clumps mean that somebody \
‹held chunks back¦collected chunks and let them go in bursts›.
"""

ABOUT = """\
I am the **built-in model** of this chat: a simulated one, so that everything works without a key. I do not know the world, but the \
road my words take is real: real servers, real sockets, real measurements.

‹Here is what I do well¦Some things to try›:

- **“How does this work?”** explains the way of a word from me to your screen
- **“Count to 50”** is good for pressing *Stop*, or for reloading in the middle
- **“Echo …”** gives your own words back, emoji and all
- **“Write a poem”**, or a poem about anything
- **“Show me Markdown”**, a table, or code
- **“Write 500 words”** for a long answer
- **“What did I say before?”** because I read the whole conversation
"""

GREETING = (
    "‹Hello¦Hi there¦Good to see you›{name}! I am the built-in model of this chat. "
    "Ask me *how does this work*, or say `help` to see what I can do."
)

THANKS = "‹You're welcome¦With pleasure¦Any time›{name}. If you are curious where the milliseconds of this answer went, open its waterfall."

FALLBACK = """\
You ‹asked¦wrote›: “{quote}”

{context}I am a simulated model, so I ‹would only be guessing¦cannot tell you anything true› about {topic}. What is real is the road \
that this sentence took: it left me token by token, went through the gateway and the middle tier, and **each piece was passed on the \
moment it arrived**. The figures beside this answer show how long that took.

‹Ask me *how does this work*¦Try *how does this work*›, *count to 50*, *write a poem about {topic}*, or *show me Markdown*.
"""

ESSAY = (
    "A stream is a promise kept in small pieces. Each token leaves the model on its own, and it is only by not waiting for its "
    "neighbours that it can be on your screen while the next one is still being chosen. Everything else in this chain follows from "
    "that.",
    "The gateway is the first to touch it. It gives the frame a number, appends it to a log, and wakes whoever is reading. The log "
    "is append-only, so a reader needs to know just one thing about itself: the number it saw last. That is why any number of tabs "
    "can follow the same answer, and why none of them can disturb another.",
    "The middle tier comes next. It keeps the credentials, so that the browser never has to; it compares the frame's number with "
    "the one that must come next, and passes the bytes on as they are. A relay that decodes what it carries pays for it with every "
    "chunk, and can get it wrong.",
    "Then there is the page. Work per event is the trap here, not Markdown: a page that renders the whole message again for every "
    "token falls further behind with every word. This one feeds its parser once per animation frame, so its effort does not grow "
    "with the length of the answer.",
    "Sometimes a wire breaks. The browser returns by itself, names the last number it has seen, and receives what is missing "
    "followed by what is new. Nobody generates anything twice, and nobody pays twice. The answer was never in the connection; it "
    "was in the log.",
    "And because every hop writes down when a chunk came and when it went, slowness has an address. A hop that holds chunks back "
    "shows up as a clump in a row of dots. One look at the waterfall says whether it was the model that thought for long, or "
    "something on the way.",
    "What remains is restraint. The fastest code on a chunk's way is the code that is not there: no queue between two tasks, no "
    "timer that waits for company, no parser that nobody asked for. A search for a blank line, an append, a wake-up, a write.",
)

POEM = _verse("""\
### The Way of a Word

A word sets out before the next is thought,
it does not wait for company to form;
three hops it makes, and none of them has caught
or kept it back to keep the others warm.

The first hop writes a number on its sleeve,
the second guards a key and lets it through,
the third paints pixels, quick as you'd believe,
and then the word is here, in front of you.

And if the line should break in middle flight,
the number that came last is all you need:
the rest returns, each letter in its right
and proper place, for anyone to read.
""")

SECOND_POEM = _verse("""\
### Nothing Waits

I had a thought, and sent it on its way
before I knew how it was going to end;
the wire had no opinion and no say,
it took the piece I had, and would not bend

to bundle it with others, nor to sleep
until a buffer somewhere had its fill.
What has been said is not for hops to keep:
it moves, or else the page in front stands still.
""")

POEM_ON = _verse("""\
### {title}

You asked for lines on {topic}: here they go,
one token at a time, as I am made;
I cannot swear to how much I may know,
but not one word of it will be delayed.

If {topic} could be sent along a wire,
it, too, would have to travel piece by piece,
and what you feel of it, be it ice or fire,
would reach you line by line, and never cease.
""")

HAIKU = _verse("""\
One chunk, then the next:
no one holds the door for them.
Already, you read.
""")
