"""What each of our servers does with a request before anything else: note the time, name it, bound it, queue it, log it.

Pure ASGI, because a middleware with a task and a queue per response would cost every chunk. Bodies are messages, perhaps with a
photograph, and no uploads. So they are read here, up to the limit, and handed on whole: no handler ever sees half a body.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.errors import Answer, envelope, respond
from serving.hosts import ANY, Hosts
from serving.limits import MAX_BODY_BYTES, BodyLimits
from serving.prefix import Prefix, route_path
from serving.room import UNCOUNTED_BYTES, Place, Room
from serving.turnstile import Turnstile
from wire.context import request_id_var, traceparent_var
from wire.errors import ErrorCode, WireError
from wire.timing import now_ns

_BODY_TIMEOUT_S = 30.0
_BYTES_A_SECOND = 128 * 1024
"""How fast a long body must come, beside that."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

logger = logging.getLogger(__name__)
access_log = logging.getLogger("access")


class Edge:
    """The outermost middleware.

    It sets `received_ns` (of `wire.timing.now_ns`) and `request_id` in the request's state. From here on, a request's path begins with the
    `prefix`, whether the proxy has passed it on or not. It answers 400 for a request to a host that is not one of `hosts` (GET /health need
    not name one), and 413 for a body over the `limits`. It gives every response its `X-Request-Id` and writes one access line per
    request. With `answer`, it also answers what goes wrong in the app (`serving.errors`).
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Hosts = ANY,
        prefix: Prefix | None = None,
        limits: BodyLimits | None = None,
        answer: Answer | None = None,
    ) -> None:
        self.app = app
        self._answer = answer
        self.hosts = hosts
        self._prefix = prefix or Prefix()
        self._limits = limits or BodyLimits()
        self._turnstile = Turnstile()
        self._room = Room(self._limits.memory_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received = now_ns()
        self._prefix.enter(scope)
        headers = dict(scope["headers"])
        drawn = secrets.token_hex(40)  # for all three ids at once: each draw is a system call
        request_id = _valid(_REQUEST_ID, headers.get(b"x-request-id")) or drawn[:32]
        traceparent = _valid(_TRACEPARENT, headers.get(b"traceparent")) or f"00-{drawn[32:64]}-{drawn[64:]}-01"
        request_id_var.set(request_id)
        traceparent_var.set(traceparent)
        state = scope.setdefault("state", {})
        state["received_ns"] = received
        state["request_id"] = request_id
        state["body_place"] = place = Place(self._room)
        status = 499  # nginx's number for a client that left before it was answered

        def send_named(message: MutableMapping[str, Any]) -> Awaitable[None]:
            """Names the request in the response's head. Not a coroutine of its own: that would cost every chunk."""
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                place.leave()
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            return send(message)

        try:
            if not self.hosts.serve(headers.get(b"host")) or len(headers) != len(scope["headers"]):
                self._check_host(scope)
            replay = await self._whole(scope, headers, receive, place)
            if replay is not None:
                await self._turnstile.enter()
                await self.app(scope, replay, send_named)
        except Exception as error:
            if status != 499:
                raise  # the response is under way: its status cannot be taken back
            if self._answer is None and not isinstance(error, WireError):
                status = 500
                raise
            await self._respond(error, scope, receive, send_named)
        except BaseException:
            status = 500 if status == 499 else status
            raise
        finally:
            place.leave()
            _log_access(scope, status, received)

    async def _respond(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what went wrong before the response had begun."""
        request = Request(scope)
        response = respond(request, error, self._answer or envelope)
        if response.status_code >= 500 and not isinstance(error, WireError | HTTPException):
            logger.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
        await response(scope, receive, send)
        error.__traceback__ = None  # an error may be kept, as a call's is: it must not keep the stack frames it came through

    def _check_host(self, scope: Scope) -> None:
        """Raises WireError INVALID_REQUEST if the request names a foreign host, several hosts, or none."""
        named = [value for name, value in scope["headers"] if name == b"host"]
        if not named and scope["method"] == "GET" and route_path(scope) == "/health":
            return
        if len(named) > 1 or not self.hosts.serve(named[0] if named else None):
            raise WireError(ErrorCode.INVALID_REQUEST, "Host: this server does not go by that name; ALLOWED_HOSTS adds one to its names.")

    async def _whole(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, place: Place) -> Receive | None:
        """A `receive` that gives the whole body, or None if the client left while sending it.

        Raises WireError TOO_LARGE, or RATE_LIMITED if there is no room for it.
        """
        length = headers.get(b"content-length")
        if length == b"0" or (length is None and b"transfer-encoding" not in headers):
            return _replay(b"", receive)
        body = await self._body(scope, receive, place)
        return None if body is None else _replay(body, receive)

    async def _body(self, scope: Scope, receive: Receive, place: Place) -> bytes | None:
        """Too large a body is still read and dropped, so that the client gets as far as reading the answer.

        That ends at the most that any server may be set to take.
        """
        parts: list[bytes] = []
        size = 0
        limit = self._limits.small
        try:
            async with asyncio.timeout(_BODY_TIMEOUT_S) as deadline:
                began = asyncio.get_running_loop().time()
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    part = message.get("body", b"")
                    size += len(part)
                    if limit < size <= self._limits.most:
                        limit = self._limits.of(scope)
                    if size <= limit:
                        parts.append(part)
                    else:
                        parts.clear()
                    if size > UNCOUNTED_BYTES:
                        place.take(size if parts else 0)
                        deadline.reschedule(began + _BODY_TIMEOUT_S + min(size, limit) / _BYTES_A_SECOND)
                    if not message.get("more_body") or size > MAX_BODY_BYTES:
                        break
        except TimeoutError:
            raise WireError(ErrorCode.INVALID_REQUEST, "The request's body did not arrive in time.", status=408, retryable=True) from None
        if size > limit:
            raise WireError(ErrorCode.TOO_LARGE, f"The request's body is over the limit of {self._limits.told(scope)}.")
        return b"".join(parts)


def _valid(pattern: re.Pattern[bytes], value: bytes | None) -> str | None:
    return value.decode() if value is not None and pattern.fullmatch(value) else None


def _log_access(scope: Scope, status: int, received_ns: int) -> None:
    method, path = scope["method"], scope["path"]
    duration_ms = round((now_ns() - received_ns) / 1e6, 3)
    access_log.info("%s %s %d", method, path, status, extra={"method": method, "path": path, "status": status, "duration_ms": duration_ms})


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once, keeps nothing of it, and gives the server's own messages after it."""
    message: MutableMapping[str, Any] | None = {"type": "http.request", "body": body, "more_body": False}

    async def replay() -> MutableMapping[str, Any]:
        nonlocal message
        if message is None:
            return await receive()
        given, message = message, None
        return given

    return replay
