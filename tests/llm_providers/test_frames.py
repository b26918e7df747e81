"""What the dialect makes of a provider's bytes: clean ones untouched, the rest put in order, and nothing after the end."""

from __future__ import annotations

import itertools
import random

import pytest

from llm_providers import ProtocolViolation, ProviderError, ProviderFault
from llm_providers.openai import CleanFrames

CHUNKS = [b'data: {"choices":[{"delta":{"content":"%d \\"error\\" \xe6\x9d\xb1"}}]}\n\n' % i for i in range(30)]
FINISH = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


def feed(frames: CleanFrames, data: bytes, cuts: list[int]) -> list[bytes]:
    """All frames that the data gives when it is cut at these places."""
    edges = [0, *sorted(cuts), len(data)]
    return [frame for start, stop in itertools.pairwise(edges) for frame in frames.feed(data[start:stop])]


def ways_to_cut(data: bytes) -> list[list[int]]:
    """Whole, byte by byte, and at random places."""
    chance = random.Random(7)
    return [[], list(range(1, len(data))), *([sorted(chance.sample(range(1, len(data)), 12)) for _ in range(20)])]


def test_clean_frames_are_the_bytes_that_came() -> None:
    """However the bytes are cut, the frames joined together are the same bytes, without a parse or a rewrite."""
    data = b"".join(CHUNKS) + FINISH + DONE
    for cuts in ways_to_cut(data):
        frames = CleanFrames()
        assert feed(frames, data, cuts) == [*CHUNKS, FINISH]
        assert frames.done
        assert frames.failure is None


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        (b'\xef\xbb\xbfdata: {"choices":[],"a":1}\n\n', b'data: {"choices":[],"a":1}\n\n'),
        (b': hello\nid: 4\nretry: 10\ndata: {"choices":[],"a":1}\n\n', b'data: {"choices":[],"a":1}\n\n'),
        (b'data:{"choices":[],"a":1}\n\n', b'data: {"choices":[],"a":1}\n\n'),
        (b'data: {"choices":[],"a":1}\r\n\r\n', b'data: {"choices":[],"a":1}\n\n'),
        (b'data: {"choices":[],"a":1}\r\r', b'data: {"choices":[],"a":1}\n\n'),
        (b'data: {"choices":[],"a":\ndata: 1}\n\n', b'data: {"choices":[],"a":1}\n\n'),
        (b'event: message\ndata: {"choices":[],"a":1}\n\n', b'data: {"choices":[],"a":1}\n\n'),
        (b": only a comment\n\n", b""),
        (b": ping\n", b""),
        (b': ping\n: ping\ndata: {"choices":[],"a":1}\n\n: ping\n', b'data: {"choices":[],"a":1}\n\n'),
        (b'data: {"choices":[],"error":null}\n\n', b'data: {"choices":[],"error":null}\n\n'),
    ],
)
def test_what_is_not_clean_is_written_anew(dirty: bytes, clean: bytes) -> None:
    """Line ends, comments, ids, folded lines and a BOM do not survive; the data does, whatever the cut."""
    data = dirty + CHUNKS[0] + DONE
    for cuts in ways_to_cut(data):
        frames = CleanFrames()
        assert b"".join(feed(frames, data, cuts)) == clean + CHUNKS[0]
        assert frames.done


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (b'data: {"choices": [\n\n', ProtocolViolation),
        (b"data: hello\n\n", ProtocolViolation),
        (b"data: [1]\n\n", ProtocolViolation),
        (b'data: {"error":{"message":"overloaded"}}\n\n', ProviderFault),
        (b': ping\ndata: {"error":{"message":"overloaded"}}\n\n', ProviderFault),
    ],
)
def test_a_fault_comes_after_what_came_before_it(bad: bytes, kind: type[ProviderError]) -> None:
    """Frames before the fault are given, even from the same read; nothing after it is."""
    data = b"".join(CHUNKS[:3]) + bad + CHUNKS[3]
    for cuts in ways_to_cut(data):
        frames = CleanFrames()
        given: list[bytes] = []
        edges = [0, *cuts, len(data)]
        for start, stop in itertools.pairwise(edges):
            if frames.failure is None:
                given += frames.feed(data[start:stop])
        assert given == CHUNKS[:3]
        assert isinstance(frames.failure, kind)
        assert "overloaded" not in str(frames.failure)


def test_a_frame_without_an_end_is_a_violation() -> None:
    """A provider that never ends its frame is stopped at the limit."""
    frames = CleanFrames()
    for _ in range(5):
        frames.feed(b"data: {" + b"x" * (1024 * 1024))
        if frames.failure is not None:
            break
    assert isinstance(frames.failure, ProtocolViolation)


def test_json_in_place_of_a_stream_has_the_same_limit() -> None:
    """Up to it the JSON is kept, and beyond it nothing is."""
    frames = CleanFrames()
    for size in (1, *[1024 * 1024] * 4):
        assert frames.failure is None
        assert frames.feed(b"{" * size) == []
    assert isinstance(frames.failure, ProtocolViolation)
    assert frames.whole is None


def test_frames_before_a_huge_one_are_given() -> None:
    """They came in the same read, and are the answer's text."""
    frames = CleanFrames()
    assert frames.feed(CHUNKS[0] + CHUNKS[1] + b"data: {" + b"x" * (5 * 1024 * 1024)) == CHUNKS[:2]
    assert isinstance(frames.failure, ProtocolViolation)


def test_half_a_character_is_no_fault() -> None:
    """A chunk may hold one half of a surrogate pair, written as an escape, whatever the line ends."""
    chunk = b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}'
    for end in (b"\n\n", b"\r\n\r\n"):
        frames = CleanFrames()
        assert frames.feed(chunk + end) == [chunk + b"\n\n"]
        assert frames.failure is None


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_what_the_body_ends_with_needs_no_line_end(end: bytes) -> None:
    """A whole chunk, or `[DONE]`, is read without the blank line that should end it. Half a chunk is nothing."""
    for cut in range(1, len(FINISH) - 1):
        half = CleanFrames()
        assert half.feed(CHUNKS[0] + FINISH[:cut]) + half.end() == [CHUNKS[0], *([FINISH] if cut == len(FINISH) - 2 else [])]
        assert (half.done, half.failure) == (False, None)
    frames = CleanFrames()
    assert frames.feed(CHUNKS[0]) + frames.feed(FINISH.strip() + end) + frames.end() == [CHUNKS[0], FINISH]
    assert not frames.done
    frames = CleanFrames()
    assert frames.feed(CHUNKS[0] + DONE.strip() + end) + frames.end() == [CHUNKS[0]]
    assert frames.done


def test_an_error_that_ends_the_body_needs_no_line_end_either() -> None:
    frames = CleanFrames()
    assert frames.feed(CHUNKS[0] + b'data: {"error":{"message":"overloaded"}}') + frames.end() == CHUNKS[:1]
    assert isinstance(frames.failure, ProviderFault)


def test_nothing_follows_the_end() -> None:
    frames = CleanFrames()
    assert frames.feed(DONE + FINISH.strip()) + frames.end() == []
