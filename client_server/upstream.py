"""The way of a chunk into this tier: from the gateway's stream into the turn's log, frame by frame and unchanged.

Strategy. `_Intake.take` is called with the frames of one read. It compares each with the expected id and appends them, which
sends them on: no task, no timer and no JSON per chunk. `follow` repeats this over as many connections as it takes. A stream that ends
without its terminal frame was cut; the next connection goes on after the last id in the log, so no frame is lost or doubled. If no call
id is known yet, the same request is sent again with the same idempotency key, and the gateway answers with the call it has begun. If the
gateway has dropped the stream of a call that has ended, the answer comes from its record (`client_server.completion`).
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

from client_server.completion import stored_answer
from client_server.errors import PATIENCE_S, as_seen_from_here, is_leaving, unavailable, worth_another_try
from client_server.turn import Terminal, Turn
from saas_client import GatewayCut, GatewayRefused, GatewayUnreachable, SaaSError, SaaSLLMClient, Stream, StreamExpired
from serving.patience import Patience
from wire.errors import ErrorCode
from wire.frames import is_chunk, is_terminal, prefix

PATIENCE_AT_START_S = 60.0
"""How long the gateway may be away for turns that a former process left: the gateway may be starting too."""
OPEN_TIMEOUT_S = 30.0
"""The gateway sends a stream's headers as soon as it has accepted the call. After this much silence the connection is dead."""


async def follow(turn: Turn, client: SaaSLLMClient, *, wait_s: float) -> Terminal:
    """Fills the turn's log up to the stream's end. Raises WireError if the end cannot be reached.

    `wait_s`: how long a call that has not begun waits for a gateway that is not there.
    """
    patience = Patience(PATIENCE_AT_START_S if turn.recovered else wait_s)
    reached = turn.recovered
    expired = False
    while True:
        there = len(turn.log)
        try:
            if expired:
                return await stored_answer(turn, client)
            async with asyncio.timeout(OPEN_TIMEOUT_S) as opening, _open(turn, client) as stream:
                opening.reschedule(None)
                reached, patience = True, Patience(PATIENCE_S)
                turn.accept(stream)
                terminal = await read_into(turn, stream)
            if terminal is not None:
                if _has_expired(terminal.frame) and turn.call_id is not None and not expired:
                    expired = True
                    continue
                return terminal
        except GatewayRefused:
            turn.wait_for_gateway()
        except (GatewayUnreachable, TimeoutError):
            if not reached:  # the call may have begun
                reached, patience = True, Patience(PATIENCE_S)
        except SaaSError as error:
            if isinstance(error, StreamExpired) and turn.call_id is not None and not expired:
                expired = True
                continue
            if error.repeated and not reached:  # the first of the two requests may have begun the call
                reached, patience = True, Patience(PATIENCE_S)
            if is_leaving(error):
                turn.wait_for_gateway()
            elif not worth_another_try(error, reached=reached):
                raise as_seen_from_here(turn, error) from None
        if len(turn.log) > there:
            patience.begin_again()
        if not await patience.pause():
            raise unavailable()


async def read_into(turn: Turn, stream: Stream) -> Terminal | None:
    """Reads one connection to the terminal frame. Returns None if it was cut. Raises GatewayUnreachable."""
    intake = _Intake(turn)
    await stream.follow(intake.take)
    return None if intake.terminal is None else Terminal(intake.terminal, b"".join(intake.unnumbered))


class _Intake:
    """Takes one connection's frames into the turn's log. What each chunk needs stands in this one object, near together in memory."""

    __slots__ = ("_arrived", "_expected", "_key", "_log", "_note", "_start", "terminal", "unnumbered")

    def __init__(self, turn: Turn) -> None:
        self._log = turn.log
        self._arrived = turn.marks.arrived
        self._note, self._key = turn.notes
        self._expected = len(turn.log)
        self._start = prefix(self._expected)
        self.unnumbered: list[bytes] = []
        self.terminal: bytes | None = None

    def take(self, frames: list[bytes], size: int) -> bool:
        """Takes the frames of one read. Returns whether the last one was the terminal frame."""
        start = self._start
        if len(frames) == 1 and (frame := frames[0]).startswith(start):  # by far the most common read
            self._arrived(frame.startswith(b"data", len(start)), size)
            self._note(self._key, frames)
            self._expected = expected = self._expected + 1
            self._start = b"id: %d\n" % expected  # `prefix`, without its call
            self._log.append(frames)
            return False
        batch: list[bytes] = []
        chunks = 0
        for frame in frames:
            if frame.startswith(self._start):
                batch.append(frame)
                self._expected += 1
                self._start = prefix(self._expected)
                chunks += is_chunk(frame)
            elif is_terminal(frame):
                self.terminal = frame
                break
            elif not frame.startswith((b":", b"id:")):
                self.unnumbered.append(frame)
            elif frame.startswith(b"id:"):
                _refuse_gap(frame, self._expected)
        self._arrived(chunks, size)
        if batch:
            self._note(self._key, batch)
            self._log.append(batch)
        return self.terminal is not None


def _has_expired(terminal: bytes) -> bool:
    """Whether the gateway let the stream's log go while it was being read."""
    return is_terminal(terminal) and ErrorCode.STREAM_EXPIRED.code.encode() in terminal


def _refuse_gap(frame: bytes, expected: int) -> None:
    """Raises GatewayCut for a larger id, which would leave a gap. A smaller one is a frame that a resumed stream repeats."""
    number = frame[3 : frame.find(b"\n")].strip()
    if not number.isdigit() or int(number) > expected:
        raise GatewayCut(f"frame {number[:20]!r} came where {expected} must come next")


def _open(turn: Turn, client: SaaSLLMClient) -> AbstractAsyncContextManager[Stream]:
    """Opens the turn's stream after the last frame in the log, or from its start."""
    if turn.marks.sent_at is None:
        turn.marks.sent()
    if turn.job_id and turn.call_id:
        return client.resume_stream(turn.job_id, turn.call_id, len(turn.log) - 1 if len(turn.log) else None)
    return client.chat_stream(idempotency_key=turn.id, **turn.request.fields)
