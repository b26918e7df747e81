"""Decides what kind of answer a prompt wants, and writes it.

Strategy. There is a list of patterns, the most specific first. The first pattern that matches the prompt chooses the answer. A prompt
that matches none gets an answer that quotes it and says honestly that a simulated model knows nothing about the subject.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from demo_llm import prose, sampler
from demo_llm.conversation import Conversation, quote
from demo_llm.wording import Wording

Writer = Callable[[Conversation, Wording, re.Match[str]], str]

_READ = 2000
"""How many characters of the prompt are matched against the patterns."""
_MOST_NUMBERS = 10_000
_MOST_WORDS = 20_000
_LONG_ANSWER_WORDS = 600
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_OURS = re.compile(r"\b(?:this|it|yourself|the chain|stream(?:s|ing)?|sse|system|tiers?|gateway|hops?|chat)\b", re.IGNORECASE)
_LANGUAGES = {"js": "javascript", "shell": "bash"} | {language: language for language in sampler.CODE}


def write(conversation: Conversation, wording: Wording) -> str:
    """The answer to the conversation's last message, as Markdown."""
    if (result := conversation.tool_result) is not None:
        name = conversation.tool_name(result.tool_call_id)
        lead = wording.say("‹I asked `{tool}`, and this came back¦`{tool}` answered›:").replace("{tool}", name)
        return f"{lead}\n\n```json\n{result.text}\n```\n"
    prompt = conversation.prompt.strip()
    for pattern, writer in _WRITERS:
        if match := pattern.search(prompt[:_READ]):
            return writer(conversation, wording, match)
    return _fallback(conversation, wording)


def _echo(conversation: Conversation, wording: Wording, match: re.Match[str]) -> str:
    return conversation.prompt.strip()[match.start("text") :] or "There was nothing after that to say back: try `echo hello`."


def _again(conversation: Conversation, wording: Wording, match: re.Match[str]) -> str:
    return conversation.last_answer or "I have not said anything yet that I could repeat."


def _count(conversation: Conversation, wording: Wording, match: re.Match[str]) -> str:
    """Counts up or down. Either bound may be missing."""
    down = bool(match["down"])
    start = int(match["start"] or (10 if down else 1))
    end = int(match["end"] or (1 if down else start + 9))
    count = min(abs(end - start) + 1, _MOST_NUMBERS)
    step = 1 if end >= start else -1
    return ", ".join(str(start + step * k) for k in range(count)) + ("." if count == abs(end - start) + 1 else ", … and so on.")


def _poem(conversation: Conversation, wording: Wording, match: re.Match[str]) -> str:
    if match["kind"].lower() == "haiku":
        return prose.HAIKU
    topic = quote(match["topic"] or "", 60).rstrip(" .!?…")
    if not topic:
        return wording.choose((prose.POEM, prose.SECOND_POEM))
    return prose.POEM_ON.format(topic=topic, title=topic[:1].upper() + topic[1:])


def _recall(conversation: Conversation, wording: Wording, match: re.Match[str]) -> str:
    earlier = conversation.earlier
    if not earlier:
        return "Nothing yet: this is the first message of our conversation."
    asked = (match["which"] or "").lower()
    if asked == "first":
        return f"The first thing you said was: “{quote(earlier[0], 300)}”"
    if len(earlier) == 1 or asked in ("last", "previous"):
        return wording.say("‹Before this¦Just before›, you said: ") + f"“{quote(earlier[-1], 300)}”"
    listed = "\n".join(f"{number}. “{quote(text, 200)}”" for number, text in enumerate(earlier, 1))
    return wording.say("‹Before this, you said¦So far, you have said›:\n\n") + listed + "\n"


def _name(conversation: Conversation, wording: Wording, match: re.Match[str]) -> str:
    name = conversation.user_name
    return f"You told me: your name is **{name}**." if name else "You have not told me your name yet. Say “my name is …” and ask again."


def _explain(text: str) -> Writer:
    return lambda conversation, wording, match: wording.say(text)


def _explain_anything(conversation: Conversation, wording: Wording, match: re.Match[str]) -> str:
    """Explains the chain, the only subject this model knows. If the prompt asked for another subject, the answer says so first."""
    topic = re.sub(r"^\s*(?:me|us)\b|\bto (?:me|us)\W*$", "", match["topic"]).strip(" .!?")
    known = not topic or _OURS.search(topic)
    lead = "" if known else f"I know just one subject well, and “{quote(topic)}” is not it. So here is the road that your words took.\n\n"
    return lead + wording.say(prose.CHAIN)


def _polite(text: str) -> Writer:
    def write_it(conversation: Conversation, wording: Wording, match: re.Match[str]) -> str:
        name = conversation.user_name
        return wording.say(text).replace("{name}", f", {name}" if name else "")

    return write_it


def _sample(text: Callable[[], str]) -> Writer:
    return lambda conversation, wording, match: text()


def _code(conversation: Conversation, wording: Wording, match: re.Match[str]) -> str:
    asked = re.search(r"\b(" + "|".join(_LANGUAGES) + r")\b", conversation.prompt, re.IGNORECASE)
    language = _LANGUAGES[asked[1].lower()] if asked else None
    lead = wording.say("‹Here is a piece of code¦Some code›")
    return f"{lead}{f' in {language}' if language else ', one block per language'}:\n\n{sampler.code(language)}"


def _long(conversation: Conversation, wording: Wording, match: re.Match[str]) -> str:
    """Exactly as many words as were asked for. The paragraphs repeat if there are too few."""
    words = min(int(match["words"] or _LONG_ANSWER_WORDS), _MOST_WORDS)
    paragraphs = list(prose.ESSAY)
    text, have, turn = "", 0, 0
    while have < words:
        paragraph = paragraphs[turn % len(paragraphs)]
        text += ("\n\n" if text else "") + paragraph
        have += len(paragraph.split())
        turn += 1
    ends = [found.end() for found in re.finditer(r"\S+", text)]
    return text[: ends[words - 1]].rstrip(".,:;") + "." if words else "No words, as you wished."


def _fallback(conversation: Conversation, wording: Wording) -> str:
    if not conversation.prompt.strip():
        return wording.say(prose.ABOUT)
    earlier = conversation.earlier
    nth = _ORDINALS[len(earlier)] if len(earlier) < len(_ORDINALS) else f"{len(earlier) + 1}th"
    context = f"That was your {nth} message here; before it you said “{quote(earlier[-1], 60)}”. " if earlier else ""
    filled = {"quote": quote(conversation.prompt, 200), "context": context, "topic": _topic(conversation.prompt)}
    return re.sub(r"\{(\w+)\}", lambda match: filled[match[1]], wording.say(prose.FALLBACK))


def _topic(prompt: str) -> str:
    """A guess at what a question is about: the words after “about”, “on” or “of”, or else its last word."""
    about = re.search(r"\b(?:about|on|of)\s+(?:an?\s+|the\s+)?([^.?!\n]{2,50})", prompt[:400], re.IGNORECASE)
    if about:
        return quote(about[1].strip().rstrip(",;:"), 50)
    words = re.findall(r"[^\W_][\w'’-]{2,}", prompt[:400])
    return words[-1] if words else "that"


_COUNT = (
    r"(?:^(?:\W*(?:please|now|can you|could you)\s+)*|\b(?=count\s*(?:up|down|backwards|from|to)\b))count\b"
    r"(?:\s*(?P<down>down|backwards))?(?:\s+up)?(?:\s+from\s+(?P<start>\d{1,9}))?(?:\s+(?:up\s+|down\s+)?to\s+(?P<end>\d{1,9}))?"
)
_RECALL = (
    r"\bwhat (?:did|have) (?:i|we) (?:just )?(?:say|said|ask|asked|write|written|wrote|tell|told|talk)\b(?:.*?\b(?P<which>first|last)\b)?"
)
_HOW = (
    r"\bhow (?:does|do|is) (?:this|it|that|the chain|everything|streaming|you)\b|\bwhat is this\b"
    r"|\bthree tiers\b|\barchitecture\b|\bthe chain\b"
)
_HELLO = r"^\W*(?:hello|hi|hey|good (?:morning|evening|day|afternoon)|greetings)\b.{0,40}$|^how are you|\bmy name is\b"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


_WRITERS: tuple[tuple[re.Pattern[str], Writer], ...] = (
    (_pattern(r"^(?:please )?repeat (?:that|it|yourself|your (?:last|previous) (?:answer|message))\b"), _again),
    (_pattern(r"^(?:please )?(?:echo|repeat after me|repeat|say)\b(?:\s*:\s*|\s+|$)(?P<text>.*)$"), _echo),
    (_pattern(_RECALL), _recall),
    (_pattern(r"\bmy (?P<which>first|last|previous|earlier) (?:message|question|prompt)s?\b"), _recall),
    (_pattern(r"\b(?:what(?:'s| is) my name|who am i)\b"), _name),
    (_pattern(_COUNT), _count),
    (_pattern(r"\b(?P<kind>poem|haiku|verses?|rhyme|sonnet)\b(?:\s+(?:about|on|for|of)\s+(?P<topic>[^\n]+))?"), _poem),
    (_pattern(r"\b(?:(?P<words>\d{1,6})[ -]words?|long (?:answer|text|story|essay|reply|response)|essay|at length)\b"), _long),
    (_pattern(r"\bmarkdown\b"), _sample(sampler.everything)),
    (_pattern(r"\bcode\b|\b(?:write|show)\b.*\b(?:function|script|snippet|program|query)\b|\bin (?:python|javascript|sql|bash)\b"), _code),
    (_pattern(r"\btables?\b"), _sample(lambda: sampler.TABLE)),
    (_pattern(r"\b(?:bullet|numbered|nested) lists?\b"), _sample(lambda: sampler.LISTS)),
    (_pattern(r"\bwaterfall|\bwhere .*(?:milliseconds|time) (?:went|goes?|go)\b"), _explain(prose.WATERFALL)),
    (_pattern(r"\bbuffer|\bhold(?:s|ing)? .*back\b|\bx-accel\b|\bno[- ]?delay\b"), _explain(prose.BUFFERING)),
    (_pattern(r"\bresum(?:e|es|ing|able)\b|\breconnect|\blast-event-id\b|\breload"), _explain(prose.RESUMING)),
    (_pattern(r"\b(?:what|how)\b.*\b(?:stop|cancel)|\bexplain\b.*\b(?:stop|cancel)"), _explain(prose.STOPPING)),
    (_pattern(r"^\W*(?:help|\?)\W*$|\bwho are you\b|\bwhat (?:are|can) you\b"), _explain(prose.ABOUT)),
    (_pattern(r"\bexplain\b(?P<topic>.*)$"), _explain_anything),
    (_pattern(_HOW), _explain(prose.CHAIN)),
    (_pattern(_HELLO), _polite(prose.GREETING)),
    (_pattern(r"^\W*(?:thanks|thank you|thx)\b"), _polite(prose.THANKS)),
)
"""The patterns and their writers, in the order in which they are tried."""
