"""Tools and JSON: the model calls the given tools and answers in the requested form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from tests.demo_llm.client import PATH, Demo

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The current weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
        },
    },
}
MAIL = {
    "type": "function",
    "function": {
        "name": "sendEmail",
        "description": "Sends a message to somebody.",
        "parameters": {
            "type": "object",
            "properties": {"to": {"type": "string", "format": "email"}, "subject": {"type": "string"}},
            "required": ["to", "subject"],
        },
    },
}
NOW = {"type": "function", "function": {"name": "now"}}
TOOLS = [WEATHER, MAIL, NOW]


class Person(BaseModel):
    name: str
    age: int


async def test_a_tool_call_streams_in_fragments(demo: Demo) -> None:
    """The id and name come only in the first fragment, the others add up to the arguments, and the finish reason is the tool call."""
    told = await demo.tell("What is the weather in Paris, in celsius?", tools=TOOLS)
    calls = [call for chunk in told.chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert len(calls) > 4
    assert calls[0]["id"].startswith("call_")
    assert calls[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert all(set(call) == {"index", "function"} and set(call["function"]) == {"arguments"} for call in calls[1:])
    assert json.loads(told.folded.tool_calls[0].arguments) == {"city": "Paris", "unit": "celsius"}
    assert told.folded.finish_reason == "tool_calls"
    assert told.folded.message()["content"] in (None, "")


async def test_a_tool_call_in_one_piece(demo: Demo) -> None:
    """Without streaming, the message has the whole call and no content."""
    choice = (await demo.ask("Send an email to ada@example.org, subject: hello", tools=TOOLS))["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    (call,) = choice["message"]["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "sendEmail")
    assert json.loads(call["function"]["arguments"]) == {"to": "ada@example.org", "subject": "hello"}


@pytest.mark.parametrize(
    ("prompt", "choice", "called"),
    [
        ("count to 3", "auto", None),
        ("weather in Rome", "none", None),
        ("weather in Rome", None, "get_weather"),
        ("anything at all", "required", "get_weather"),
        ("weather in Rome", {"type": "function", "function": {"name": "now"}}, "now"),
    ],
)
async def test_the_tool_choice_is_kept(demo: Demo, prompt: str, choice: Any, called: str | None) -> None:
    """By itself, the model calls a tool only if the prompt seems to want it; if forced, it calls the named tool."""
    message = (await demo.ask(prompt, tools=TOOLS, tool_choice=choice))["choices"][0]["message"]
    names = [call["function"]["name"] for call in message.get("tool_calls", ())]
    assert names == ([called] if called else [])


async def test_a_tool_choice_without_its_tool_is_refused(demo: Demo) -> None:
    """A tool choice that names an unknown function gets a 400, and so does a required call without tools."""
    for choice in ({"type": "function", "function": {"name": "fly"}}, "required"):
        tools = [] if choice == "required" else TOOLS
        body = {"model": "demo-fast", "messages": [{"role": "user", "content": "x"}], "tools": tools, "tool_choice": choice}
        status, _, answer = await demo.request("POST", PATH, body)
        assert (status, answer["error"]["param"]) == (400, "tool_choice")


async def test_a_tools_result_is_told(demo: Demo) -> None:
    """After a call, the model answers with the tool's result and does not call again."""
    question = {"role": "user", "content": "weather in Rome"}
    asked = (await demo.ask("", messages=[question], tools=TOOLS))["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": asked["tool_calls"][0]["id"], "content": '{"degrees": 21}'}
    answer = (await demo.ask("", messages=[question, asked, result], tools=TOOLS))["choices"][0]
    assert answer["finish_reason"] == "stop"
    assert "`get_weather`" in answer["message"]["content"]
    assert '{"degrees": 21}' in answer["message"]["content"]


async def test_a_schema_is_met(demo: Demo) -> None:
    """With a JSON schema, the answer is only JSON that meets the schema, filled from the prompt; this also holds for a stream."""
    form = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": Person.model_json_schema()}}
    told = await demo.tell("Ada Lovelace is 36 years old.", response_format=form)
    assert Person.model_validate_json(told.folded.content) == Person(name="Ada Lovelace", age=36)
    assert len(told.token_times_ms) > 5


async def test_any_json_object(demo: Demo) -> None:
    """Without a schema, the answer is an object from the pairs in the prompt or from a schema in the instructions."""
    form = {"type": "json_object"}
    assert json.loads(await demo.say("city: Paris, days: 3", response_format=form)) == {"city": "Paris", "days": 3}
    messages = [
        {"role": "system", "content": f"Answer in JSON of this schema: {json.dumps(Person.model_json_schema())}"},
        {"role": "user", "content": "Ada Lovelace is 36 years old."},
    ]
    assert json.loads(await demo.say("", messages=messages, response_format=form)) == {"name": "Ada Lovelace", "age": 36}
