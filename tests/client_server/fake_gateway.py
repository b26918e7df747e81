"""A gateway that a test controls: it sends real frames, and can be cut, silenced and stopped at any of them.

It runs in the test's own event loop on a real socket, so that a test decides when each frame leaves.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any, Self

from tests.client_server.listener import Exchange, Listener
from tests.support.ports import free_port
from wire.errors import ErrorCode, WireError
from wire.frames import DONE, failed_frame, hop_frame, numbered, receipt_frame
from wire.sse import encode
from wire.timing import HopMarks

TIMEOUT_S = 20.0
_JOB = re.compile(r"/api/jobs/([^/]+)")
_CALL = re.compile(r"/api/jobs/[^/]+/calls/([^/]+)/(stream|cancel)")


@dataclass(eq=False)
class Call:
    """One call: its request, its frames so far, and their readers."""

    job_id: str
    call_id: str
    body: dict[str, Any]
    frames: list[bytes] = field(default_factory=list)
    terminal: bytes | None = None
    cancelled: bool = False
    expired: bool = False
    resumed_after: list[str | None] = field(default_factory=list)
    """The `Last-Event-ID` of every request for its stream, in order."""
    readers: set[Exchange] = field(default_factory=set)
    skip_for_current_readers: bool = False
    """The current readers miss the next frame. Later readers get all frames."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def text(self) -> str:
        """Its text so far."""
        chunks = [json.loads(frame.split(b"data: ")[1]) for frame in self.frames if b"\nevent: " not in frame]
        return "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)

    async def say(self, *texts: str) -> None:
        """Generates these deltas."""
        for text in texts:
            chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
            self._number(encode(json.dumps(chunk)))
        await self.tell()

    async def finish(self, status: str = "finished") -> None:
        """Settles the call and ends its stream in order."""
        receipt = {"job_id": self.job_id, "call_id": self.call_id, "status": status, "finish_reason": "stop", "cost_usd": "0.000002"}
        self._number(receipt_frame(receipt | {"usage": {"completion_tokens": len(self.frames)}}))
        self._number(hop_frame(HopMarks("saas_api").to_dict()))
        self.terminal = DONE
        await self.tell()

    async def fail(self, error: WireError) -> None:
        """Ends its stream with this error."""
        self.terminal = failed_frame(error)
        await self.tell()

    async def cut(self) -> None:
        """Drops every connection in mid-stream."""
        for exchange in self.readers:
            exchange.drop()
        await self.until(lambda: not self.readers)

    async def until(self, condition: Any) -> None:
        """Waits for a condition on this call. Raises TimeoutError."""
        async with asyncio.timeout(TIMEOUT_S), self.changed:
            await self.changed.wait_for(condition)

    def _number(self, frame: bytes) -> None:
        self.frames.append(numbered(len(self.frames), frame))

    async def tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


class FakeGateway:
    """The gateway's routes that the middle tier uses. It serves inside `async with`; `stop` and `start` take it away and bring it back."""

    def __init__(self) -> None:
        self.port = free_port()
        self.calls: list[Call] = []
        self.by_key: dict[str, Call] = {}
        self.asked = 0
        """How many requests for a new call have come, including repeated ones."""
        self.refuse_calls_with: WireError | None = None
        self.refuse_after_swallowing: WireError | None = None
        """After it has swallowed a request, it refuses the following ones with this error."""
        self.refused = 0
        """How many requests for a call it has refused."""
        self.swallow_next = False
        """The next request for a call starts it, but its connection is dropped without an answer."""
        self._changed = asyncio.Condition()
        self._listener = Listener(self.port, self._answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        await self._listener.start()

    async def stop(self) -> None:
        """Stops listening and drops every connection. It still knows its calls."""
        await self._listener.stop()

    async def call(self, number: int = 0) -> Call:
        """Returns the call with this number, once it has a reader or has ended. Raises TimeoutError."""
        async with asyncio.timeout(TIMEOUT_S):
            async with self._changed:
                await self._changed.wait_for(lambda: len(self.calls) > number)
            await self.calls[number].until(lambda: self.calls[number].readers or self.calls[number].terminal)
        return self.calls[number]

    async def _answer(self, exchange: Exchange) -> None:
        match exchange.method, exchange.path:
            case "POST", "/api/jobs/create-and-call-stream":
                await self._create_stream(exchange)
            case "POST", "/api/jobs/create-and-call":
                await self._create_whole(exchange)
            case "GET", path if job := _JOB.fullmatch(path):
                await self._record(exchange, job[1])
            case method, path:
                named = _CALL.fullmatch(path)
                call = next((call for call in self.calls if named and call.call_id == named[1]), None)
                if call is None or named is None or (method, named[2]) not in {("GET", "stream"), ("POST", "cancel")}:
                    await _refuse(exchange, WireError(ErrorCode.NOT_FOUND, "There is no such call."))
                elif method == "GET":
                    await self._resume(exchange, call)
                else:
                    await self._cancel(exchange, call)

    async def _new_call(self, exchange: Exchange) -> Call:
        self.asked += 1
        key = exchange.headers.get("idempotency-key", "")
        if key in self.by_key:
            return self.by_key[key]
        number = len(self.calls)
        call = Call(f"job_{number}", f"call_{number}", exchange.json())
        self.by_key[key] = call
        self.calls.append(call)
        async with self._changed:
            self._changed.notify_all()
        return call

    async def _taken(self, exchange: Exchange) -> Call | None:
        """Returns the call that this request begins or leads to; None if it is not to be answered with it."""
        if self.refuse_calls_with is not None:
            self.refused += 1
            await _refuse(exchange, self.refuse_calls_with)
            return None
        call = await self._new_call(exchange)
        if self.swallow_next:
            self.swallow_next = False
            self.refuse_calls_with = self.refuse_after_swallowing
            exchange.drop()
            return None
        return call

    async def _create_stream(self, exchange: Exchange) -> None:
        if (call := await self._taken(exchange)) is not None:
            await self._stream(exchange, call, 0)

    async def _create_whole(self, exchange: Exchange) -> None:
        if (call := await self._taken(exchange)) is None:
            return
        call.readers.add(exchange)
        try:
            await call.tell()
            await call.until(lambda: call.terminal)
        except asyncio.CancelledError:
            call.cancelled = True
            raise
        finally:
            call.readers.discard(exchange)
            await call.tell()
        receipt, hop = (json.loads(frame.split(b"data: ")[1]) for frame in call.frames[-2:])
        choice = {"index": 0, "message": {"role": "assistant", "content": call.text}, "finish_reason": "stop"}
        whole = {"object": "chat.completion", "choices": [choice], "saas": {"receipt": receipt, "hops": [hop]}}
        await exchange.respond(200, json.dumps(whole).encode())

    async def _record(self, exchange: Exchange, job_id: str) -> None:
        """Answers with the job and its only call, if that has ended."""
        call = next((call for call in self.calls if call.job_id == job_id and call.terminal is not None), None)
        if call is None:
            await _refuse(exchange, WireError(ErrorCode.NOT_FOUND, "There is no such job."))
            return
        error = None if call.terminal == DONE else json.loads((call.terminal or b"").split(b"data: ")[1])["error"]
        record = {
            "call_id": call.call_id,
            "status": "failed" if error else "cancelled" if call.cancelled else "finished",
            "error_code": error and error["code"],
            "finish_reason": None if error else "stop",
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
            "cost_usd": "0.000002",
            "message": {"role": "assistant", "content": call.text},
            "created_at": 1.0,
        }
        body = {"job_id": job_id, "error_message": error and error["message"], "calls": [record]}
        await exchange.respond(200, json.dumps(body).encode())

    async def _resume(self, exchange: Exchange, call: Call) -> None:
        last = exchange.headers.get("last-event-id")
        call.resumed_after.append(last)
        if call.expired:
            await _refuse(exchange, WireError(ErrorCode.STREAM_EXPIRED, "It is over."))
            return
        await self._stream(exchange, call, 0 if last is None else int(last) + 1)

    async def _cancel(self, exchange: Exchange, call: Call) -> None:
        if call.terminal is None:
            call.cancelled = True
            await call.finish("cancelled")
        answer = {"job_id": call.job_id, "call_id": call.call_id, "status": "cancelled"}
        await exchange.respond(200, json.dumps(answer).encode())

    async def _stream(self, exchange: Exchange, call: Call, index: int) -> None:
        names = {"X-Job-Id": call.job_id, "X-Call-Id": call.call_id}
        await exchange.begin({"Content-Type": "text/event-stream; charset=utf-8"} | names)
        call.readers.add(exchange)
        try:
            await call.tell()
            await exchange.write(b": ping\n\n")
            while True:
                if call.skip_for_current_readers:
                    call.skip_for_current_readers = False
                    index += 1
                while index < len(call.frames):
                    await exchange.write(call.frames[index])
                    index += 1
                if call.terminal is not None:
                    await exchange.write(call.terminal)
                    await exchange.end()
                    return
                async with call.changed:
                    while index >= len(call.frames) and call.terminal is None:
                        await call.changed.wait()
        finally:
            call.readers.discard(exchange)
            await asyncio.shield(call.tell())


async def _refuse(exchange: Exchange, error: WireError) -> None:
    await exchange.respond(error.status, error.to_body())
