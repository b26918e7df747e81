"""The OpenAPI document is complete and true: it is held against the routes, and against what they really answer."""

from __future__ import annotations

import importlib
import json
import pkgutil
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute, APIRouter

import saas_api.routes
from tests.saas_api.conftest import Gateway
from tests.support.described import Described, check_form

CALL, STREAM = "/api/jobs/{job_id}/llm-call", "/api/jobs/{job_id}/llm-call-stream"
WHOLE, WHOLE_STREAM = "/api/jobs/create-and-call", "/api/jobs/create-and-call-stream"
CHAT, COMPLETE, RESUME = "/v1/chat/completions", "/api/jobs/{job_id}/complete", "/api/jobs/{job_id}/calls/{call_id}/stream"


@pytest.fixture
async def described(client: httpx.AsyncClient) -> Described:
    """The gateway that the tests share, with its document at hand."""
    return await Described.of(client)


async def test_the_openapi_document(described: Described) -> None:
    """Every route stands in it and nothing else does, each with a summary, a description and an answer."""
    modules = [importlib.import_module(f"saas_api.routes.{found.name}") for found in pkgutil.iter_modules(saas_api.routes.__path__)]
    routers = [value for module in modules for value in vars(module).values() if isinstance(value, APIRouter)]
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    assert {(method, route.path_format) for route in routes for method in route.methods or ()} == set(described.operations)
    assert "/api/jobs/{job_id}/llm-call-stream" in described.document["paths"]
    assert "/v1/chat/completions" in described.document["paths"]
    check_form(described.document)
    assert "text/html" not in str(described.document["paths"])


async def test_a_key_is_documented_where_it_is_demanded(described: Described, gateway: Gateway) -> None:
    """Each route is asked without a key: it answers 401 exactly where the document names the scheme."""
    assert described.document["components"]["securitySchemes"]["virtual_key"] | {"description": ""} == {
        "type": "http",
        "scheme": "bearer",
        "description": "",
    }
    async with httpx.AsyncClient(base_url=gateway.url) as stranger:
        for (method, path), operation in described.operations.items():
            response = await stranger.request(
                method, path.format(job_id="job_x", call_id="call_x", model="x"), json={} if method != "GET" else None
            )
            demanded = response.status_code == 401
            assert (operation.get("security") == [{"virtual_key": []}]) is demanded, path
            assert ("401" in operation["responses"]) is demanded, path


async def test_every_answer_is_as_documented(described: Described, gateway: Gateway) -> None:
    """Each route is asked for what it answers in order, and none is left out."""
    message = {"messages": [{"role": "user", "content": "3 1 1"}]}
    call, chat = {"model_group": "text"} | message, {"model": "text"} | message
    await described.ask("GET", "/health")
    await described.ask("GET", "/v1/models")
    await described.ask("GET", "/v1/models/{model}", model="text")
    job = (await described.ask("POST", "/api/jobs/create", {"team_id": gateway.team_id, "job_type": "test"}, status=201)).json()["job_id"]
    await described.ask("GET", "/api/jobs/{job_id}", job_id=job)
    await described.ask("POST", CALL, call, job_id=job)
    tools = await described.ask("POST", CALL, call | {"model_group": "tools"}, job_id=job)
    assert tools.json()["choices"][0]["message"]["tool_calls"]
    stream = await described.ask("POST", STREAM, chat, job_id=job)
    ids = {"job_id": job, "call_id": stream.headers["x-call-id"]}
    assert (await described.ask("GET", RESUME, headers={"Last-Event-ID": "0"}, **ids)).text.startswith("id: 1\n")
    await described.ask("POST", "/api/jobs/{job_id}/calls/{call_id}/cancel", **ids)
    await described.ask("PATCH", "/api/jobs/{job_id}/metadata", {"metadata": {"a": [1, {"b": None}]}}, job_id=job)
    await described.ask("GET", "/api/jobs/{job_id}/costs", job_id=job)
    await described.ask("POST", COMPLETE, {"status": "failed", "error_message": "no"}, job_id=job)
    whole = await described.ask("POST", WHOLE, gateway.call(), headers={"Idempotency-Key": f"k-{job}"})
    await described.ask("POST", WHOLE_STREAM, gateway.call())
    await described.ask("POST", CHAT, chat)
    await described.ask("POST", CHAT, chat | {"stream": True})
    for ended in (job, whole.headers["x-job-id"]):
        await described.ask("GET", "/api/jobs/{job_id}", job_id=ended)
    assert {(method, path) for method, path, _ in described.answered} == set(described.operations)


async def test_frames_are_as_documented(described: Described, gateway: Gateway) -> None:
    """The data of `receipt`, `hop` and `failed` are schemas of the document too."""
    for group, expected in (("text", {"receipt", "hop"}), ("drop", {"receipt", "hop", "failed"})):
        text = (await described.ask("POST", WHOLE_STREAM, gateway.call(group))).text
        named = [frame.split("\n")[-2:] for frame in text.split("\n\n") if "event: " in frame]
        data = {event.removeprefix("event: "): json.loads(line.removeprefix("data: ")) for event, line in named}
        assert expected == set(data)
        for event, value in data.items():
            assert [] == described.named({"receipt": "Receipt", "hop": "Hop", "failed": "ErrorAnswer"}[event], value)


async def test_errors_are_as_documented(described: Described, gateway: Gateway) -> None:
    """Each failure that can be provoked has a status that its route lists, and a code that stands beside it."""
    call, nobody = gateway.call(), {"job_id": "job_x", "call_id": "call_x", "model": "nope"}
    for method, path in (("POST", "/api/jobs/create"), ("POST", WHOLE), ("POST", CALL), ("PATCH", "/api/jobs/{job_id}/metadata")):
        await described.ask(method, path, b"{", status=400, **nobody, headers={"Content-Type": "application/json"})
        await described.ask(method, path, {"messages": 1}, status=422, **nobody)
        await described.ask(method, path, b"x" * 22_000_000, status=413, **nobody)
    for method, path in described.operations:
        await described.ask(method, path, status=400, headers={"Host": "evil.example"}, **nobody)
        if "{" in path and method == "GET":
            await described.ask(method, path, status=404, **nobody)
    await described.ask("POST", CHAT, {"model": "text", "messages": []}, status=400)
    await described.ask("POST", CHAT, call | {"model_group": "nope"}, status=404)
    await described.ask("POST", "/api/jobs/{job_id}/calls/{call_id}/cancel", status=404, **nobody)
    await described.ask("GET", RESUME, status=400, headers={"Last-Event-ID": "x"}, **nobody)
    for group, status in (
        ("status-401", 502),
        ("status-429", 429),
        ("status-500", 502),
        ("status-503", 503),
        ("hang", 504),
    ):
        await described.ask("POST", WHOLE, gateway.call(group), status=status)
        await described.ask("POST", CHAT, gateway.call(group) | {"stream": True}, status=status)
    key = {"Idempotency-Key": f"e-{gateway.server.port}"}
    job = (await described.ask("POST", WHOLE, call, headers=key)).headers["x-job-id"]
    await described.ask("POST", WHOLE_STREAM, call, headers=key, status=409)
    await described.ask("POST", WHOLE, call, headers={"Idempotency-Key": "k" * 201}, status=400)
    await described.ask("POST", CALL, call, job_id=job, headers=key, status=422)
    for path in (CALL, STREAM):
        await described.ask("POST", path, call, job_id=job, status=409)
    await described.ask("POST", COMPLETE, {"status": "failed"}, job_id=job, status=409)


async def test_headers_and_requests_are_documented(described: Described, gateway: Gateway) -> None:
    """Those that mean something to a route, and both names of a model group."""
    taking = {
        name: {path for (_, path), operation in described.operations.items() if name in _headers(operation)}
        for name in ("Idempotency-Key", "Last-Event-ID")
    }
    assert taking == {"Idempotency-Key": {WHOLE, WHOLE_STREAM, CHAT}, "Last-Event-ID": {RESUME}}
    for path in (WHOLE, CALL, CHAT):
        (media,) = described.operations["POST", path]["requestBody"]["content"].values()
        schema = described.document["components"]["schemas"][media["schema"]["$ref"].rpartition("/")[2]]
        assert {"model_group", "model", "messages"} <= set(schema["properties"])
        assert [{"required": ["model_group"]}, {"required": ["model"]}] == schema["anyOf"]
        assert not {"model_group", "model"} & set(schema["required"])
    for name in ("model", "model_group"):
        await described.ask("POST", CHAT, {name: "text", "messages": [{"role": "user", "content": "1 1 1"}]})


def _headers(operation: dict[str, Any]) -> set[str]:
    return {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"}
