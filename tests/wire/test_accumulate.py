"""`wire.accumulate`: chunks add up to one answer, including the variants that imitators of OpenAI's format really send."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.cuts import PLACES, cut
from wire.accumulate import Accumulator


def chunk(delta: Any = None, finish_reason: Any = None, **fields: Any) -> dict[str, Any]:
    """One chunk with one choice."""
    return {"id": "c1", "created": 7, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]} | fields


def added(*chunks: dict[str, Any]) -> Accumulator:
    """An accumulator with these chunks added."""
    accumulator = Accumulator()
    for one in chunks:
        accumulator.add(one)
    return accumulator


def call(arguments: str | None = None, *, id: str | None = None, name: str | None = None, **fields: Any) -> dict[str, Any]:
    """One fragment of a tool call. Absent parts are null; `index` is there only if it is given."""
    return {"id": id, "type": None, "function": {"name": name, "arguments": arguments}} | fields


def calls_of(accumulator: Accumulator) -> list[tuple[str | None, str, str]]:
    """The id, name and arguments of each call, in the order of the message."""
    calls = accumulator.message().get("tool_calls", [])
    return [(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in calls]


class TestText:
    """Content, reasoning, refusal."""

    def test_content_adds_up(self) -> None:
        """The chunk with the role and empty or null contents add nothing; all other contents are joined unchanged."""
        result = added(
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": " a"}),
            chunk({"content": None}),
            chunk({}),
            chunk({"content": "b\n"}),
        )
        assert " ab\n" == result.content
        assert {"role": "assistant", "content": " ab\n"} == result.message()

    def test_what_has_not_begun_is_empty(self) -> None:
        """Before the first chunk every text is empty."""
        result = Accumulator()
        assert ("", "", "", None, None) == (result.content, result.reasoning, result.refusal, result.finish_reason, result.usage)
        assert {"role": "assistant", "content": ""} == result.message()

    @pytest.mark.parametrize("spelling", ["reasoning_content", "reasoning"])
    def test_reasoning_has_two_spellings(self, spelling: str) -> None:
        """Both spellings of the reasoning field are read, and the message uses the first."""
        result = added(chunk({spelling: "so "}), chunk({spelling: "then", "content": None}), chunk({"content": "42"}))
        assert ("so then", "42") == (result.reasoning, result.content)
        assert {"role": "assistant", "content": "42", "reasoning_content": "so then"} == result.message()

    def test_reasoning_spelled_both_ways_counts_once(self) -> None:
        """A chunk with reasoning under both names counts it once; if one is null or not a text, the other is used."""
        both = {"reasoning_content": "x", "reasoning": "x"}
        null, number = {"reasoning_content": None, "reasoning": "y"}, {"reasoning_content": 5, "reasoning": "z"}
        assert "xyz" == added(chunk(both), chunk(null), chunk(number)).reasoning

    def test_refusal(self) -> None:
        """A refusal is kept apart from the content."""
        result = added(chunk({"refusal": "No"}), chunk({"refusal": "."}))
        assert {"role": "assistant", "content": "", "refusal": "No."} == result.message()

    @given(text=st.text(), reasoning=st.text(), places=PLACES)
    @example(text="é😀", reasoning="", places=[1])
    def test_the_split_does_not_matter(self, text: str, reasoning: str, places: list[int]) -> None:
        """A model's text adds up to the same message, however it is cut into chunks."""
        result = Accumulator()
        for piece in cut(text, places):
            result.add(chunk({"content": piece}))
        for letter in reasoning:
            result.add(chunk({"reasoning": letter}))
        assert (text, reasoning) == (result.content, result.reasoning)
        assert added(chunk({"content": text, "reasoning": reasoning})).message() == result.message()


class TestToolCalls:
    """Calls by index, arguments as raw text."""

    def test_fragments_add_up(self) -> None:
        """The id and name come once, later fragments carry nulls, and the arguments are the raw text, whether valid JSON or not."""
        result = added(
            chunk({"tool_calls": [call("", id="t1", name="look_up", index=0)]}),
            chunk({"tool_calls": [call('{"ci', index=0)]}),
            chunk({"tool_calls": [call(None, index=0)]}),
            chunk({"tool_calls": [call('ty": ', index=0)]}),
        )
        assert ['{"ci', 'ty": '] == result.tool_calls[0].fragments
        assert {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "look_up", "arguments": '{"city": '}}],
        } == result.message()

    def test_interleaved_calls_are_kept_apart(self) -> None:
        """Fragments in one chunk or in several belong to the call of their index, and the message lists the calls by index."""
        result = added(
            chunk({"tool_calls": [call("b", id="t1", name="second", index=1)]}),
            chunk({"tool_calls": [call("a", id="t0", name="first", index=0), call("B", index=1)]}),
            chunk({"tool_calls": [call("A", index=0)]}),
        )
        assert [("t0", "first", "aA"), ("t1", "second", "bB")] == calls_of(result)

    @pytest.mark.parametrize("first", [{}, {"index": 0}, {"index": None}, {"index": "0"}])
    @pytest.mark.parametrize("later", [{}, {"index": None}, {"index": "0"}])
    def test_a_missing_index_means_the_call_in_that_place(self, first: dict[str, Any], later: dict[str, Any]) -> None:
        """A fragment without a numeric index continues the call that was last in its position."""
        result = added(
            chunk({"tool_calls": [call("{", id="t0", name="f", **first), call("[", id="t1", name="g")]}),
            chunk({"tool_calls": [call("}", **later), call("]", **later)]}),
        )
        assert [("t0", "f", "{}"), ("t1", "g", "[]")] == calls_of(result)

    def test_a_new_id_without_an_index_begins_a_new_call(self) -> None:
        """Calls without indices that arrive in separate chunks, each with a new id, are separate calls."""
        result = added(
            chunk({"tool_calls": [call("{}", id="t0", name="f")]}),
            chunk({"tool_calls": [call("[", id="t1", name="g")]}),
            chunk({"tool_calls": [call("]", id="t1")]}),
            chunk({"tool_calls": [call(" ")]}),
        )
        assert [("t0", "f", "{}"), ("t1", "g", "[] ")] == calls_of(result)

    def test_an_id_may_come_late(self) -> None:
        """A call takes its first non-null id and its first non-null name."""
        result = added(
            chunk({"tool_calls": [call("{", index=3)]}),
            chunk({"tool_calls": [call("}", id="t", name="f", index=3)]}),
            chunk({"tool_calls": [call("", id="u", name="g", index=3)]}),
        )
        assert [("t", "f", "{}")] == calls_of(result)

    @given(arguments=st.lists(st.text(), min_size=1, max_size=4), data=st.data())
    def test_any_interleaving_adds_up_to_the_same(self, arguments: list[str], data: st.DataObject) -> None:
        """Each call gets its own arguments in order, however the letters of several calls are interleaved."""
        result, left = Accumulator(), dict(enumerate(arguments))
        while any(left.values()):
            index = data.draw(st.sampled_from([index for index, text in left.items() if text]))
            result.add(chunk({"tool_calls": [call(left[index][0], index=index)]}))
            left[index] = left[index][1:]
        expected = {index: text for index, text in enumerate(arguments) if text}
        assert expected == {index: tool.arguments for index, tool in result.tool_calls.items()}


class TestEnd:
    """Finish reason, usage, identity."""

    def test_the_last_finish_reason_counts(self) -> None:
        """The last finish reason counts; nulls and values that are not text are ignored."""
        assert "stop" == added(chunk({"content": "x"}), chunk({}, "stop"), chunk({}), chunk({}, 5)).finish_reason
        assert "tool_calls" == added(chunk({}, "stop"), chunk({}, "tool_calls"), chunk({}, "")).finish_reason

    @pytest.mark.parametrize("where", ["with content", "with the finish", "without choices", "with null choices", "without the field"])
    def test_usage_may_stand_on_any_chunk(self, where: str) -> None:
        """Usage on any chunk is kept, and later nulls do not remove it."""
        usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
        one = {
            "with content": chunk({"content": "x"}, usage=usage),
            "with the finish": chunk({}, "stop", usage=usage),
            "without choices": chunk(usage=usage, choices=[]),
            "with null choices": chunk(usage=usage, choices=None),
            "without the field": {"usage": usage},
        }[where]
        assert usage == added(chunk({"content": "a"}, usage=None), one, chunk(usage=None)).usage

    def test_the_newest_usage_counts(self) -> None:
        """If every chunk reports usage, the last report counts, because each report includes the chunks before it."""
        assert {"completion_tokens": 2} == added(chunk({}, usage={"completion_tokens": 1}), chunk({}, usage={"completion_tokens": 2})).usage

    def test_usage_is_a_copy(self) -> None:
        """If the caller changes its chunk afterwards, the usage stays the same."""
        usage = {"total_tokens": 1}
        result = added(chunk(usage=usage))
        usage["total_tokens"] = 99
        assert {"total_tokens": 1} == result.usage

    def test_completion(self) -> None:
        """The completion has the form of a non-streaming answer, with the first id, model and time that came."""
        result = added({"id": "", "created": 0, "choices": []}, chunk({"content": "hi"}), chunk({}, "stop", id="c2", model="n", created=9))
        assert {
            "id": "c1",
            "object": "chat.completion",
            "created": 7,
            "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
            "usage": None,
        } == result.completion()

    def test_counts_the_chunks_that_carried_something(self) -> None:
        """Chunks with text of any kind or tool calls are counted; role, finish, usage and empty chunks are not."""
        nothing = [{"role": "assistant", "content": ""}, {}, {"tool_calls": []}, {"tool_calls": [5]}, {"content": 5}, None]
        something = [{"content": "a"}, {"reasoning": "b"}, {"refusal": "c"}, {"tool_calls": [call("d", index=0)]}]
        assert 0 == added(*map(chunk, nothing), chunk({}, "stop"), chunk(choices=[], usage={})).deltas
        assert 4 == added(*map(chunk, [*nothing, *something])).deltas


FIELDS = [
    "choices",
    "delta",
    "content",
    "reasoning",
    "tool_calls",
    "index",
    "function",
    "name",
    "arguments",
    "id",
    "usage",
    "finish_reason",
]
GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)
FUNCTIONS = GARBAGE | st.fixed_dictionaries({"name": GARBAGE, "arguments": GARBAGE})
CALLS = GARBAGE | st.fixed_dictionaries({}, optional={"index": GARBAGE, "id": GARBAGE, "function": FUNCTIONS})
TEXTS = dict.fromkeys(["content", "reasoning_content", "reasoning", "refusal"], GARBAGE)
DELTAS = GARBAGE | st.fixed_dictionaries({}, optional=TEXTS | {"tool_calls": GARBAGE | st.lists(CALLS, max_size=3)})


@given(
    deltas=st.lists(st.tuples(DELTAS, GARBAGE), max_size=5),
    fields=st.dictionaries(st.sampled_from(["id", "model", "created", "usage", "choices"]), GARBAGE),
)
@example(
    deltas=[({"content": 5, "tool_calls": "x"}, {"a": 1})],
    fields={"id": [], "model": 1.5, "created": "x", "usage": "y", "choices": {"0": {}}},
)
@example(deltas=[({}, 5)], fields={"choices": [{"finish_reason": ["x"]}]})
@example(deltas=[({"tool_calls": [{"id": 4, "index": [], "function": {"name": {}, "arguments": {"a": 1}}}, None, 7]}, True)], fields={})
def test_garbage_is_passed_over(deltas: list[tuple[Any, Any]], fields: dict[str, Any]) -> None:
    """A field of the wrong type raises no error and is not in the result: every part of the result has the right type."""
    result = added(fields, *(chunk(delta, finish) for delta, finish in deltas), chunk({"content": "end"}, "stop"))
    completion = json.loads(json.dumps(result.completion()))
    message = completion["choices"][0]["message"]
    assert "stop" == completion["choices"][0]["finish_reason"]
    assert message["content"].endswith("end")
    assert all(isinstance(completion[name], str) for name in ("id", "model"))
    assert isinstance(completion["created"], int)
    assert completion["usage"] is None or isinstance(completion["usage"], dict)
    for one in message.get("tool_calls", []):
        assert one["id"] is None or isinstance(one["id"], str)
        assert isinstance(one["function"]["name"], str)
        assert isinstance(one["function"]["arguments"], str)


@pytest.mark.parametrize("choices", [None, [], {}, "x", [None], ["x"], [[]], [{}], [{"delta": None}], [{"delta": "x"}], [{"delta": []}]])
def test_chunks_without_a_usable_choice_add_nothing(choices: Any) -> None:
    """A chunk whose choices are absent, empty or of the wrong type adds nothing."""
    result = added(chunk({"content": "a"}), chunk(choices=choices), chunk({"content": "b"}))
    assert {"role": "assistant", "content": "ab"} == result.message()
