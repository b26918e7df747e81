"""The content of answers: each kind of prompt gets the right kind of answer."""

from __future__ import annotations

import asyncio
import random
import re
import time

import pytest

from demo_llm import answers, prose, sampler
from demo_llm.conversation import Conversation, quote
from demo_llm.schemas import Message
from demo_llm.wording import Wording
from tests.demo_llm.client import Demo


def answer_to(*said: str, temperature: float = 0, seed: str = "seed") -> str:
    """The answer to a conversation whose messages come from the user and the model in turn."""
    messages = [Message(role="user" if turn % 2 == 0 else "assistant", content=text) for turn, text in enumerate(said)]
    return answers.write(Conversation(messages), Wording(random.Random(seed), temperature))


@pytest.mark.parametrize(
    "prompt", ["how does this work?", "How does it work", "explain", "Explain how this works.", "explain the chain to me"]
)
def test_the_chain_is_explained(prompt: str) -> None:
    """The answer names the tiers (without ports, which the operator chooses) and the three promises."""
    text = answer_to(prompt)
    for fact in ("client_server", "saas_api", "the model", "Nothing waits", "Nothing is lost", "Nothing is hidden"):
        assert fact in text
    assert "is not it" not in text
    assert ":80" not in text


def test_another_subject_is_not_made_up() -> None:
    """If the model is asked to explain an unknown subject, it says so and names the subject."""
    assert answer_to("explain quantum physics to me").startswith("I know just one subject well, and “quantum physics” is not it.")


@pytest.mark.parametrize(
    ("prompt", "fact"),
    [
        ("why does nothing buffer here?", "X-Accel-Buffering: no"),
        ("how does resuming work?", "Last-Event-ID"),
        ("what happens when I reload?", "byte for byte"),
        ("what does stop do?", "cancel the call"),
        ("what does the waterfall show?", "one row per hop"),
        ("what can you do?", "Count to 50"),
        ("hello", "built-in model"),
        ("", "built-in model"),
    ],
)
def test_questions_about_the_product_are_answered(prompt: str, fact: str) -> None:
    """Each question about the product gets its own explanation."""
    assert fact in answer_to(prompt)


@pytest.mark.parametrize(
    "text", ["hello", "  two  spaces", "👩‍🚀 & <script>alert(1)</script>", "line one\nline two", "count to 5", "x" * 5000]
)
def test_an_echo_is_what_was_said(text: str) -> None:
    """An echo returns every character, including markup and emoji."""
    assert answer_to(f"echo {text}") == text.lstrip()
    assert answer_to(f"Repeat after me: {text}") == text.lstrip()


@pytest.mark.parametrize(
    ("prompt", "numbers"),
    [
        ("count to 5", [1, 2, 3, 4, 5]),
        ("Please count from 3 to 6!", [3, 4, 5, 6]),
        ("count down from 4", [4, 3, 2, 1]),
        ("can you count", list(range(1, 11))),
        ("count from 20", list(range(20, 30))),
    ],
)
def test_it_counts(prompt: str, numbers: list[int]) -> None:
    """The model counts up or down between the given bounds."""
    assert [int(number) for number in re.findall(r"\d+", answer_to(prompt))] == numbers


def test_counting_comes_to_an_end() -> None:
    """However far the model is asked to count, it stops at a limit and says so."""
    text = answer_to("count to 999999999")
    assert text.endswith(" 10000, … and so on.")


def test_poems() -> None:
    """A poem has a title and lines that Markdown keeps separate, a poem about a topic names it, and a haiku has three lines."""
    assert answer_to("write a poem") == prose.POEM
    assert prose.POEM.splitlines()[2].endswith("  ")
    assert len(answer_to("a haiku, please").splitlines()) == 3
    assert answer_to("write a poem about the {sea}!").startswith("### The {sea}\n")
    assert {answer_to("write a poem", temperature=2, seed=str(seed)) for seed in range(9)} == {prose.POEM, prose.SECOND_POEM}


def test_the_sampler_has_everything() -> None:
    """The sampler has headings, lists, a table, code in several languages, a quotation and links."""
    text = answer_to("show me some Markdown")
    for piece in (
        "# ",
        "## ",
        "\n- ",
        "\n  1. ",
        "|:---",
        "> ",
        "](https://",
        "```python",
        "```javascript",
        "```sql",
        "```bash",
        "**bold**",
    ):
        assert piece in text
    assert answer_to("a table please") == sampler.TABLE
    assert "```javascript" in answer_to("write a function in JavaScript")
    assert "```python" not in answer_to("write a function in JavaScript")


@pytest.mark.parametrize("words", [1, 30, 500, 2000])
def test_long_answers_have_the_length_asked_for(words: int) -> None:
    """A long answer has exactly as many words as were asked for."""
    assert len(answer_to(f"write {words} words about streams").split()) == words


def test_the_conversation_is_remembered() -> None:
    """The model can repeat what was said before: all of it, the first or last message, the user's name, and its own last answer."""
    before = ("my name is Zoë and I like tea", "Noted.", "count to 2", "1, 2.")
    assert answer_to("what did I say before?").startswith("Nothing yet")
    assert answer_to(*before[:2], "what did I say before?").endswith("“my name is Zoë and I like tea”")
    listed = answer_to(*before, "what did I say before?")
    assert "1. “my name is Zoë and I like tea”\n2. “count to 2”" in listed
    assert "my name is Zoë" in answer_to(*before, "what was my first message?")
    assert answer_to(*before, "What's my name?") == "You told me: your name is **Zoë**."
    assert answer_to(*before, "repeat that") == "1, 2."


def test_anything_else_is_referred_to() -> None:
    """The fallback quotes the question, names its subject, and refers to the conversation so far."""
    text = answer_to("count to 2", "1, 2.", "What do you think about {black} holes?")
    assert "“What do you think about {black} holes?”" in text
    assert "your second message" in text
    assert "poem about {black} holes" in text


def test_a_long_quotation_is_shortened_between_characters() -> None:
    """A long quotation becomes one line, shortened to the limit without cutting a visible character."""
    assert quote("👩‍🚀" * 200, 5) == "👩‍🚀" * 4 + "…"
    assert quote("a\n b") == "a b"


def test_temperature_widens_the_choice_of_words() -> None:
    """At temperature 0 there is one wording; the higher the temperature, the more wordings there are."""
    wordings = [len({answer_to("how does this work?", temperature=heat, seed=str(seed)) for seed in range(40)}) for heat in (0, 0.2, 2)]
    assert wordings[0] == 1
    assert 1 < wordings[1] <= wordings[2]


@pytest.mark.parametrize("text", [value for name, value in vars(prose).items() if name.isupper() and isinstance(value, str)])
def test_no_template_shows(text: str) -> None:
    """Whichever wording is drawn, no template mark is left in the text, and code fences and tables are complete."""
    for seed in range(20):
        said = Wording(random.Random(seed), 2).say(text)
        assert not set("‹¦›") & set(said)
        assert said.count("```") % 2 == 0


@pytest.mark.parametrize(
    "prompt", ["show " * 30_000, "hold " * 30_000, "\n" * 100_000, "what did I say " * 9_000, "count " * 20_000, "A B " * 30_000]
)
def test_no_prompt_takes_long(prompt: str) -> None:
    """Choosing an answer takes milliseconds, whatever the prompt is."""
    begun = time.process_time()
    answer_to(prompt)
    assert time.process_time() - begun < 0.5


async def test_answers_arrive_over_the_wire(demo: Demo) -> None:
    """The server sends over its socket what these functions write."""
    prompts = ["count to 5", "echo 👍🏽", "a haiku, please", "hello"]
    told = await asyncio.gather(*(demo.tell(prompt, temperature=0) for prompt in prompts))
    assert [answer.folded.content for answer in told] == [answer_to(prompt) for prompt in prompts]
