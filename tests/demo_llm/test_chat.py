"""The dialect: the form of a completion and its stream, how they end, and which requests are refused."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from demo_llm.models import MODELS
from tests.demo_llm.client import PATH, Demo, request_for, until

STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


async def test_health(demo: Demo) -> None:
    """The health check says that the server is up."""
    assert (await demo.request("GET", "/health"))[::2] == (200, {"status": "ok"})


async def test_the_models_are_listed(demo: Demo) -> None:
    """Every model is listed in OpenAI's form."""
    status, _, body = await demo.request("GET", "/v1/models")
    assert status == 200
    assert [model["id"] for model in body["data"]] == list(MODELS)
    assert {"demo-fast", "demo-balanced", "demo-quality", "demo-probe", "demo-fault-drop"} <= set(MODELS)
    assert body["object"] == "list"
    assert all(model["object"] == "model" for model in body["data"])


async def test_a_stream_has_openais_shape(demo: Demo) -> None:
    """A stream has the role, the text, the finish reason and `[DONE]`, as compact UTF-8 JSON without ids or named events."""
    async with demo.stream("echo hé 東京") as stream:
        raw = await stream.read_all()
    assert stream.status == 200
    assert STREAM_HEADERS.items() <= stream.headers.items()
    assert {frame.id for frame in stream.frames} == {None}
    assert {frame.event for frame in stream.frames} == {"message"}
    assert raw.endswith(b'"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
    assert "京".encode() in raw
    chunks = [frame.json() for frame in stream.frames[:-1]]
    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks}) == 1
    assert (chunks[0]["object"], chunks[0]["model"]) == ("chat.completion.chunk", "demo-fast")
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert deltas[-1] == {}
    assert "".join(delta["content"] for delta in deltas[:-1]) == "hé 東京"
    assert all("usage" not in chunk for chunk in chunks)


async def test_a_stream_carries_usage_where_asked(demo: Demo) -> None:
    """With `include_usage`, each chunk has a null usage, and a last one without choices has the numbers."""
    told = await demo.tell("count to 5", stream_options={"include_usage": True})
    *others, last = told.chunks
    assert [chunk["usage"] for chunk in others] == [None] * len(others)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == len(told.token_times_ms) == 10
    assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + 10


async def test_a_completion_is_its_stream_in_one_piece(demo: Demo) -> None:
    """The text, the finish reason and the usage are the same with and without streaming."""
    whole, told = await asyncio.gather(demo.ask("hello"), demo.tell("hello", stream_options={"include_usage": True}))
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": told.folded.content, "refusal": None}
    assert whole["choices"][0]["finish_reason"] == told.folded.finish_reason == "stop"
    assert whole["usage"] == told.folded.usage


async def test_the_same_seed_says_the_same(demo: Demo) -> None:
    """The same request gets the same words again, with or without a seed; another seed gives other words."""
    seeds = [1, 1, 2, 3, 4, 5]
    hot = [demo.say("hello", seed=seed, temperature=2) for seed in seeds]
    cold = [demo.say("hello", seed=seed, temperature=0) for seed in seeds]
    unseeded = [demo.say("hello", temperature=1.5) for _ in range(3)]
    told = await asyncio.gather(*hot, *cold, *unseeded)
    assert told[0] == told[1]
    assert len(set(told[:6])) > 1
    assert len(set(told[6:12])) == 1
    assert len(set(told[12:])) == 1


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_the_token_limit_is_kept(demo: Demo, name: str) -> None:
    """The answer ends at the token limit, and its finish reason says so."""
    told = await demo.tell("count to 20", **{name: 7})
    assert told.folded.finish_reason == "length"
    assert told.folded.content == "1, 2, 3, 4"


@pytest.mark.parametrize(
    ("stop", "said"), [(" 5", "1, 2, 3, 4,"), (["9", "3"], "1, 2, "), (["never"], "1, 2, 3, 4, 5, 6."), ([], "1, 2, 3, 4, 5, 6.")]
)
async def test_a_stop_ends_the_answer_before_it(demo: Demo, stop: Any, said: str) -> None:
    """The answer ends before the first stop text that occurs in it."""
    told = await demo.tell("count to 6", stop=stop)
    assert (told.folded.content, told.folded.finish_reason) == (said, "stop")


async def test_messages_may_come_in_parts(demo: Demo) -> None:
    """If a message's content is a list of parts, their texts are read."""
    content = [{"type": "text", "text": "echo one"}, {"type": "image_url", "image_url": {"url": "data:,"}}, {"type": "text", "text": "two"}]
    assert await demo.say("", messages=[{"role": "user", "content": content}]) == "one\ntwo"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model": "demo-fast", ', None),
        (b"\xff\xfe not text", None),
        (b"[" * 100_000, None),
        (b"[1, 2]", None),
        ({"model": "demo-fast"}, "messages"),
        (request_for("", {"messages": []}), "messages"),
        (request_for("", {"messages": [{"role": "nobody", "content": "x"}]}), "messages[0].role"),
        (request_for("x", {"temperature": 3}), "temperature"),
        (request_for("x", {"max_tokens": 0}), "max_tokens"),
        (request_for("x", {"n": 2}), "n"),
        (request_for("x", {"stop": [""]}), "stop"),
        (request_for("x", {"stream": "often"}), "stream"),
        (request_for("x", {"response_format": {"type": "xml"}}), "response_format.type"),
    ],
)
async def test_what_is_malformed_is_refused(demo: Demo, body: Any, param: str | None) -> None:
    """A malformed request gets a 400 in OpenAI's envelope that names the field."""
    status, _, answer = await demo.request("POST", PATH, body)
    assert status == 400
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert answer["error"]["type"] == "invalid_request_error"
    if param is not None:
        assert answer["error"]["param"].startswith(param)
        assert param in answer["error"]["message"]


async def test_half_a_surrogate_pair_does_no_harm(demo: Demo) -> None:
    """A text that UTF-8 cannot hold is refused or replaced, and the server goes on."""
    body = b'{"model": "demo-fast", "messages": [{"role": "user", "content": "echo \\ud800"}]}'
    status, _, _ = await demo.request("POST", PATH, body)
    assert status in (200, 400)
    tools = b'[{"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {"const": "\\ud800"}}}}}]'
    body = b'{"model": "demo-fast", "tool_choice": "required", "tools": %s, "messages": [{"role": "user", "content": "x"}]}' % tools
    status, _, _ = await demo.request("POST", PATH, body)
    assert status in (200, 400)


async def test_an_unknown_model_and_an_unknown_path_are_not_found(demo: Demo) -> None:
    """An unknown model and an unknown path both get a 404 in OpenAI's envelope."""
    status, _, answer = await demo.request("POST", PATH, request_for("x", {"model": "gpt-9"}))
    assert (status, answer["error"]["code"], answer["error"]["param"]) == (404, "model_not_found", "model")
    status, _, answer = await demo.request("GET", "/v1/nothing")
    assert (status, answer["error"]["type"]) == (404, "invalid_request_error")
    status, _, answer = await demo.request("GET", PATH)
    assert status == 405


async def test_a_body_over_the_limit_is_refused(demo: Demo) -> None:
    """A body of more than 20 MiB gets a 413."""
    status, _, answer = await demo.request("POST", PATH, request_for("x" * 21_000_000, {}))
    assert (status, answer["error"]["code"]) == (413, "too_large")


async def test_a_photograph_is_taken(demo: Demo) -> None:
    """It is not looked at, but the text beside it is answered; long JSON that is wrong is refused as short JSON is."""
    body = request_for("Count to 3", {"max_tokens": 5})
    body["messages"][-1]["content"] = [
        {"type": "text", "text": "Count to 3"},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + "/9j/" * 3_000_000}},
    ]
    status, _, answer = await demo.request("POST", PATH, body)
    assert (status, bool(answer["choices"][0]["message"]["content"])) == (200, True)
    status, _, answer = await demo.request("POST", PATH, body | {"temperature": 9})
    assert (status, answer["error"]["param"]) == (400, "temperature")


@pytest.mark.parametrize("model", ["demo-quality", "demo-fault-hang", "demo-fault-stall"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_ends_the_generation(demo: Demo, model: str, stream: bool) -> None:
    """The server drops the request as soon as its client leaves, long before the answer would have ended."""
    request_id = f"leaver-{model}-{stream}"
    body = request_for("count to 500", {"model": model, "stream": stream})
    seen = len(demo.log_lines())
    reader, writer = await asyncio.open_connection("127.0.0.1", demo.server.port)
    await _send(writer, body, request_id)
    if stream and model != "demo-fault-hang":
        await reader.readuntil(b'"role":"assistant"')
    else:
        await asyncio.wait_for(_accepted(demo), 5)
    writer.transport.abort()
    await until(lambda: any(line["logger"] == "access" and line["request_id"] == request_id for line in demo.log_lines()[seen:]))
    lines = [line for line in demo.log_lines() if line["request_id"] == request_id]
    assert [line["message"] for line in lines if line["logger"] == "demo_llm.responses"] == [
        "ended early: the client left, or the server stops"
    ]
    assert next(line for line in lines if line["logger"] == "access")["duration_ms"] < 3000
    assert not [line for line in lines if line["level"] == "ERROR"]


async def _send(writer: asyncio.StreamWriter, body: dict[str, Any], request_id: str) -> None:
    payload = json.dumps(body).encode()
    fields = ("Host: localhost", f"X-Request-Id: {request_id}", "Content-Type: application/json", f"Content-Length: {len(payload)}")
    head = "\r\n".join((f"POST {PATH} HTTP/1.1", *fields, "", ""))
    writer.write(head.encode() + payload)
    await writer.drain()


async def _accepted(demo: Demo) -> None:
    """Returns once the server has seen the request sent before: it reads in order of arrival and has answered a later one."""
    await demo.request("GET", "/health")
