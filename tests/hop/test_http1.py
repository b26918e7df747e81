"""`hop.http1`: a response means the same however the network cuts it, and what is not one is refused."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hop.http1 import MAX_HEAD_BYTES, BadResponse, CutResponse, ResponseParser
from tests.hop.raw_responses import BAD, CHUNKED, OK, UNTIL_CLOSE, WHOLES, Whole
from tests.support.cuts import PLACES, cut, one_by_one


def feed(parser: ResponseParser, pieces: Iterable[bytes]) -> bytes:
    """The body in these pieces."""
    return b"".join([parser.feed(piece) for piece in pieces])


def in_halves(whole: bytes) -> list[list[bytes]]:
    """Every way of cutting it once."""
    return [[whole[:place], whole[place:]] for place in range(len(whole) + 1)]


def check(response: Whole, pieces: Iterable[bytes]) -> None:
    """These pieces are that response."""
    parser = ResponseParser()
    assert response.body == feed(parser, pieces)
    if response is UNTIL_CLOSE:
        assert not parser.complete
        parser.end()
    assert parser.complete
    assert (response.status, response.keep_alive) == (parser.status, parser.keep_alive)
    parser.end()  # a connection may end after the response


@pytest.mark.parametrize("response", [*WHOLES, UNTIL_CLOSE], ids=lambda response: response.name)
class TestWhole:
    """Every form of a response, cut in every way."""

    def test_at_once(self, response: Whole) -> None:
        """One read may hold all of it."""
        check(response, [response.raw])

    def test_byte_by_byte(self, response: Whole) -> None:
        """A read may hold as little as one byte."""
        check(response, one_by_one(response.raw))

    def test_cut_once_anywhere(self, response: Whole) -> None:
        """It may be cut at any place."""
        for pieces in in_halves(response.raw):
            check(response, pieces)

    @given(places=PLACES)
    def test_cut_at_random(self, response: Whole, places: list[int]) -> None:
        """However the network cuts it, status, body and the connection's fate are the same."""
        check(response, cut(response.raw, places))


@pytest.mark.parametrize("response", WHOLES, ids=lambda response: response.name)
def test_a_response_is_complete_with_its_last_byte(response: Whole) -> None:
    """Not earlier, and then without waiting for anything: until then, an end of the connection is a cut."""
    for size in range(len(response.raw)):
        parser = ResponseParser()
        parser.feed(response.raw[:size])
        assert not parser.complete
        with pytest.raises(CutResponse):
            parser.end()


@given(chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=12), places=PLACES)
def test_any_chunks_cut_anywhere_are_their_data(chunks: list[bytes], places: list[int]) -> None:
    """What a server put into chunks comes out, and nothing of the chunks themselves."""
    raw = CHUNKED + b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    check(Whole("any", raw, b"".join(chunks)), cut(raw, places))


@given(chunks=st.lists(st.binary(min_size=1, max_size=300), min_size=1))
def test_a_chunk_that_comes_alone_leaves_alone(chunks: list[bytes]) -> None:
    """Each read's data is handed on with that read, and not held until the next."""
    parser = ResponseParser()
    parser.feed(CHUNKED)
    assert chunks == [parser.feed(b"%x\r\n%b\r\n" % (len(chunk), chunk)) for chunk in chunks]


def test_data_does_not_wait_for_its_chunks_end() -> None:
    """What has come of a chunk is handed on with the read it came in."""
    parser = ResponseParser()
    pieces = [CHUNKED + b"5\r\nhe", b"llo", b"\r", b"\n3", b"\r\nyo", b"u\r\n0\r\n\r\n"]
    assert [b"he", b"llo", b"", b"", b"yo", b"u"] == [parser.feed(piece) for piece in pieces]


def test_headers_are_found_by_their_names_in_lower_case() -> None:
    """Blanks around a value do not belong to it, a repeated field is a list, and all of Latin-1 is text."""
    parser = ResponseParser()
    parser.feed(OK + b"Content-Length: 0\r\nX-Job-Id: \t j 1 \t\r\nVary: a\r\nvary: b\r\nX-Empty:\r\nX-City: K\xf6ln\r\n\r\n")
    assert {"content-length": "0", "x-job-id": "j 1", "vary": "a, b", "x-empty": "", "x-city": "Köln"} == parser.headers


def test_an_interim_responses_headers_are_not_the_responses() -> None:
    """What came before the response says nothing about it."""
    parser = ResponseParser()
    parser.feed(b"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\n")
    assert not parser.has_head
    parser.feed(OK + b"Content-Length: 0\r\n\r\n")
    assert {"content-length": "0"} == parser.headers


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_what_is_no_response_is_refused(raw: bytes) -> None:
    """At once and byte by byte, with an error that says what is wrong."""
    for pieces in ([raw], one_by_one(raw)):
        with pytest.raises(BadResponse) as raised:
            feed(ResponseParser(), pieces)
        assert str(raised.value)


class TestLeniency:
    """Where httptools is less strict or stricter than RFC 9112, and why that is accepted."""

    def test_line_ends_behind_a_response_are_skipped(self) -> None:
        """Only in the read that ends the response, where nothing can hide in them. In a read of their own they are refused."""
        parser = ResponseParser()
        assert b"ok" == parser.feed(OK + b"Content-Length: 2\r\n\r\nok\r\n\r\n")
        assert parser.complete
        with pytest.raises(BadResponse):
            parser.feed(b"\r\n")

    @pytest.mark.parametrize("head", [OK + b"Content-Length: 9999999999999999\r\n\r\n", CHUNKED + b"fffffffffffffff\r\n"])
    def test_sizes_of_up_to_64_bits_are_taken(self, head: bytes) -> None:
        """No memory is reserved for an announced size, so a large one costs nothing; one that does not fit is refused."""
        assert b"ok" == ResponseParser().feed(head + b"ok")

    def test_any_byte_is_taken_in_a_reason(self) -> None:
        """Nobody reads the words behind a status."""
        parser = ResponseParser()
        parser.feed(b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n")
        assert (200, True) == (parser.status, parser.complete)

    def test_blanks_within_an_extension_are_refused(self) -> None:
        """The standard has recipients read `5; a`. Nobody writes it, and a refusal is the safe side."""
        with pytest.raises(BadResponse):
            ResponseParser().feed(CHUNKED + b"5; a\r\nhello\r\n")


def test_a_response_leaves_no_garbage() -> None:
    """Whole, cut or refused: a parser is gone with its last reference, without the garbage collector."""

    class Watched(ResponseParser):
        """The parser itself has no room for a weak reference."""

    def ended(raw: bytes) -> weakref.ref[ResponseParser]:
        parser = Watched()
        try:
            parser.feed(raw)
            parser.end()
        except (BadResponse, CutResponse):
            pass
        return weakref.ref(parser)

    gc.disable()
    try:
        assert [None] * 3 == [ended(raw)() for raw in (CHUNKED + b"0\r\n\r\n", CHUNKED + b"5\r\nhe", CHUNKED + b"x")]
    finally:
        gc.enable()


@pytest.mark.parametrize("raw", [b"x", b"HTTP/1_", b"\r\n"])
def test_what_does_not_begin_like_a_response_is_refused_with_its_first_bytes(raw: bytes) -> None:
    """Nobody waits until 64 KiB have come from a peer of another protocol."""
    with pytest.raises(BadResponse):
        ResponseParser().feed(raw)


def test_a_head_of_the_limit_is_taken() -> None:
    """A head may be as long as the limit."""
    head = OK + b"Content-Length: 0\r\nX-A: "
    head += b"x" * (MAX_HEAD_BYTES - len(head))
    parser = ResponseParser()
    parser.feed(head + b"\r\n\r\n")
    assert parser.complete


def test_a_connection_with_bytes_too_many_is_not_used_again() -> None:
    """If bytes come after the end of a response, nobody can say what they belong to."""
    parser = ResponseParser()
    with pytest.raises(BadResponse):
        parser.feed(OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1")
    assert not parser.keep_alive


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 200", b"HTTP/1.1 100 Continue\r\n\r\n", CHUNKED, CHUNKED + b"5\r\nhel", CHUNKED + b"0\r\n"]
)
def test_an_end_before_the_end_is_a_cut(raw: bytes) -> None:
    """Before the head, in it, in a chunk, between two, and before the last line."""
    parser = ResponseParser()
    parser.feed(raw)
    with pytest.raises(CutResponse):
        parser.end()


def seconds(pieces: list[bytes]) -> float:
    """How long reading them takes, at best of three."""
    taken = []
    for _ in range(3):
        parser = ResponseParser()
        parser.feed(CHUNKED)
        begun = time.process_time()
        for piece in pieces:
            parser.feed(piece)
        taken.append(time.process_time() - begun)
    return min(taken)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda size: [b"%x\r\n" % size, *[b"x" * 16] * (size // 16), b"\r\n"], id="a large chunk in small pieces"),
        pytest.param(lambda size: [b"10\r\n0123456789abcdef\r\n" * (size // 16)], id="many small chunks in one piece"),
        pytest.param(lambda size: one_by_one(b"2\r\nok\r\n" * (size // 64)), id="small chunks byte by byte"),
    ],
)
def test_the_time_grows_with_the_bytes_alone(make: Callable[[int], list[bytes]]) -> None:
    """Sixteen times the bytes take about sixteen times as long, and not the square of it."""
    short, long = seconds(make(256 * 1024)), seconds(make(4 * 1024 * 1024))
    assert long < 64 * max(short, 0.001)


def test_what_came_before_a_fault_is_told() -> None:
    """The body in front of a malformed chunk is not lost with it."""
    parser = ResponseParser()
    with pytest.raises(BadResponse) as caught:
        parser.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\nnonsense\r\n")
    assert b"onetwo" == caught.value.body
