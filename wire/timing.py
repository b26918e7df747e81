"""The times of events at one hop: the marks that become its `hop` frame.

Every mark is in microseconds since the request arrived, on the monotonic clock of one process. Clocks of two processes are
never subtracted; `received_at` (Unix seconds) is only for people to read.

A chunk's dwell is the time from its arrival at the hop to its first departure. If no reader was there when it arrived, the dwell counts
from the moment one came: a closed tab is not a slow hop.
"""

from __future__ import annotations

import time
from array import array

from wire.records import Dwell, HopRecord

MAX_ARRIVALS = 2048

now_ns = time.perf_counter_ns
"""The clock of all marks."""


class HopMarks:
    """The marks of one stream at one hop.

    The inward side calls `sent`, `headers` and `arrived`; the outward side calls `departed`. Either side may go on when the other has
    ended. If a resumed reader is sent frames that left before, nothing changes.
    """

    __slots__ = (
        "_arrivals",
        "_dwell",
        "_received",
        "bytes",
        "first_out",
        "headers_at",
        "hop",
        "last_out",
        "reads",
        "received_at",
        "resumed",
        "sent_at",
    )

    def __init__(self, hop: str, *, received_ns: int | None = None, resumed: bool = False) -> None:
        self.hop = hop
        self.resumed = resumed
        now = now_ns()
        self._received = now if received_ns is None else received_ns
        self.received_at = time.time() - (now - self._received) / 1e9
        self.sent_at: int | None = None
        self.headers_at: int | None = None
        self.first_out: int | None = None
        self.last_out: int | None = None
        self.bytes = 0
        self.reads = 0
        self._arrivals = array("q")
        self._dwell = array("q")

    def sent(self) -> None:
        """Marks that the request to the hop above is about to leave."""
        self.sent_at = now_ns()

    def headers(self) -> None:
        """Marks that the response headers from the hop above have arrived."""
        self.headers_at = now_ns()

    def arrived(self, chunks: int, size: int) -> None:
        """Marks a read of `size` bytes that completed this many chunks."""
        self.reads += 1
        self.bytes += size
        if chunks == 1:
            self._arrivals.append(now_ns())
        elif chunks:
            self._arrivals.extend([now_ns()] * chunks)

    def departed(self, upto: int, since: int, at: int | None = None) -> None:
        """Marks that the frames before index `upto` were written to a reader that has been there since `since` (`now_ns`).

        Pass `at` if the frames were handed over before now. The reader below may have them before the writer's next step runs, and
        its wait must contain ours.
        """
        arrivals, dwell = self._arrivals, self._dwell
        done, there = len(dwell), len(arrivals)
        if upto > there:
            upto = there
        if upto <= done:
            return
        now = now_ns() if at is None else at
        if not done:
            self.first_out = now
        self.last_out = now
        if upto == done + 1:
            arrival = arrivals[done]
            dwell.append(now - (arrival if arrival > since else since))
            return
        for arrival in arrivals[done:upto]:
            dwell.append(now - (arrival if arrival > since else since))

    def _us(self, mark: int | None) -> int | None:
        return None if mark is None else (mark - self._received) // 1000

    def to_dict(self, first_token: int | None = 0) -> HopRecord:
        """The data of the `hop` frame. Marks that were never set are None; percentiles are by nearest rank.

        `first_token` is the index of the chunk that carries it, None if none came: what comes first may be a role alone.
        """
        arrivals = self._arrivals
        record: HopRecord = {
            "hop": self.hop,
            "received_at": round(self.received_at, 6),
            "upstream_sent_us": self._us(self.sent_at),
            "upstream_headers_us": self._us(self.headers_at),
            "first_in_us": None if first_token is None else self.arrival_us(first_token),
            "first_out_us": None if first_token is None else self._departure_us(first_token),
            "last_in_us": self._us(arrivals[-1]) if arrivals else None,
            "last_out_us": self._us(self.last_out),
            "frames": len(arrivals),
            "bytes": self.bytes,
            "reads": self.reads,
            "dwell_us": percentiles(self._dwell),
            "arrivals_us": [(mark - self._received) // 1000 for mark in arrivals[:MAX_ARRIVALS]],
        }
        if self.resumed:
            record["resumed"] = True
        return record

    @property
    def elapsed_us(self) -> int:
        """How long ago the request arrived."""
        return (now_ns() - self._received) // 1000

    def arrival_us(self, index: int) -> int | None:
        """When the chunk of this index arrived; None if it has not arrived."""
        return self._us(self._arrivals[index]) if index < len(self._arrivals) else None

    def _departure_us(self, index: int) -> int | None:
        """When the chunk of this index left. If it waited for its first reader, it left when that one's first frames did."""
        if self.first_out is None or index >= len(self._dwell):
            return None
        return self._us(max(self.first_out, self._arrivals[index] + self._dwell[index]))

    def server_timing(self) -> str:
        """A short form for a `Server-Timing` header, in milliseconds (https://www.w3.org/TR/server-timing/)."""
        total = (now_ns() - self._received) / 1e6
        parts = [f"{self.hop};dur={total:.3f}"]
        if self.sent_at is not None and self._arrivals:
            parts.append(f"upstream;dur={(self._arrivals[0] - self.sent_at) / 1e6:.3f}")
        return ", ".join(parts)


def percentiles(nanoseconds: array[int]) -> Dwell:
    """p50, p99 (nearest rank) and max of durations in nanoseconds, as microseconds."""
    if not nanoseconds:
        return {"p50": None, "p99": None, "max": None}
    ordered = sorted(nanoseconds)
    last = len(ordered) - 1
    return {"p50": ordered[last // 2] // 1000, "p99": ordered[-(-len(ordered) * 99 // 100) - 1] // 1000, "max": ordered[-1] // 1000}
