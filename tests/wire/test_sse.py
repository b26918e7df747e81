"""`wire.sse`: encoded events are read back, foreign streams are read exactly as the standard says, and memory is bounded."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.cuts import PLACES, cut, one_by_one
from tests.wire.reference import Reading, decoded, plain_reading
from wire.sse import DONE, PING, Decoder, Event, FrameSplitter, FrameTooLarge, encode

_PARTS = [
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"data", b"event", b"id", b"retry", b":", b": ", b" ", b"\0", b"0", b"17", b"x"),
    *(b"\xef\xbb\xbf", "é".encode(), "…".encode(), "😀".encode(), b"\xe2\x80", b"\xf0\x9f", b"\xff", b"\xed\xa0\x80", b"\xd9\xa1"),
]
_FIELDS = st.tuples(
    st.sampled_from([b"data", b"event", b"id", b"retry", b"", b"Data", b" data", b"\xef\xbb\xbfdata"]),
    st.sampled_from([b": ", b":", b"", b":  "]),
    st.sampled_from([b"", b"x", b"17", b"a:b", b"\0", "é…😀".encode(), b"\xe2\x80", b"0123456789"]),
    st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r", b""]),
).map(b"".join)
STREAMS = st.lists(_FIELDS | st.sampled_from(_PARTS), max_size=16).map(b"".join)
"""Streams full of difficult parts: line ends, field names, NUL, broken UTF-8, and digits that are not ASCII."""

SINGLE_LINES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))


class TestEncode:
    """The bytes of one frame."""

    @pytest.mark.parametrize(
        ("expected", "actual"),
        [
            (b"data: x\n\n", encode("x")),
            (b"data: x\n\n", encode(b"x")),
            (b"data: \n\n", encode("")),
            (b"data: a\ndata: b\n\n", encode("a\nb")),
            (b"data: a\ndata: b\ndata: c\ndata: \n\n", encode("a\r\nb\rc\r")),
            (b"id: 0\ndata: x\n\n", encode("x", id=0)),
            (b"id: 7\nevent: hop\nretry: 500\ndata: {}\n\n", encode("{}", id=7, event="hop", retry=500)),
            (b"id: \ndata: x\n\n", encode("x", id="")),
            ("data: …\n\n".encode(), encode("…")),
            (DONE, encode("[DONE]")),
        ],
    )
    def test_bytes(self, expected: bytes, actual: bytes) -> None:
        """A frame's lines end in LF alone, its other fields come before its data, and each line of data is a separate field."""
        assert expected == actual

    @pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"])
    def test_an_event_or_id_of_two_lines_is_refused(self, line_end: str) -> None:
        """A line end in `event` or `id` is an error, because it would inject another field."""
        with pytest.raises(ValueError, match="event"):
            encode("x", event=f"a{line_end}data: b")
        with pytest.raises(ValueError, match="id"):
            encode("x", id=f"a{line_end}data: b")

    def test_an_id_with_nul_is_refused(self) -> None:
        """A NUL in `id` is an error, because readers ignore such an id; in `event` it is allowed."""
        with pytest.raises(ValueError, match="id"):
            encode("x", id="a\0b")
        assert [Event("x", "a\0b")] == Decoder().feed(encode("x", event="a\0b"))

    @given(
        data=st.text(), event=st.none() | SINGLE_LINES, id=st.none() | SINGLE_LINES, retry=st.none() | st.integers(0, 10**9), places=PLACES
    )
    @example(data="\ufeff 😀\U0010ffff\r\n\r\0", event="\ufeff", id=" ", retry=None, places=[1, 2, 3])
    def test_what_is_encoded_is_decoded(self, data: str, event: str | None, id: str | None, retry: int | None, places: list[int]) -> None:
        """Text from any Unicode plane comes back unchanged, except that readers turn CR and CRLF into LF."""
        lines = data.replace("\r\n", "\n").replace("\r", "\n")
        reading = decoded(cut(encode(data, event=event, id=id, retry=retry), places))
        assert Reading([Event(lines, event or "message", id or "")], id or "", retry) == reading

    @given(data=st.text())
    def test_text_and_its_bytes_are_encoded_alike(self, data: str) -> None:
        """A text and its UTF-8 bytes give the same frame."""
        assert encode(data) == encode(data.encode())


class TestDecoder:
    """The whole standard."""

    @given(stream=STREAMS, places=PLACES)
    @example(stream=b"\xef\xbb\xbfdata: a\r\n\r\ndata: b\r\rdata: c\n\n", places=[1, 2, 12, 13, 14])
    @example(stream="retry: ١\nretry: 5\nid: 1\0\nid\n\n".encode(), places=[])
    def test_reads_as_the_standard_says(self, stream: bytes, places: list[int]) -> None:
        """A stream fed whole, byte by byte or cut at random has the same events, last id and retry as in the reference reading."""
        expected = plain_reading(stream)
        assert expected == decoded([stream])
        assert expected == decoded(one_by_one(stream))
        assert expected == decoded(cut(stream, places))

    @pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
    def test_an_event_is_there_with_its_last_byte(self, end: bytes) -> None:
        """The read that completes an event returns it: a CR does not wait for an LF."""
        decoder = Decoder()
        stream = b"data: now" + end + end[:1]
        assert [] == [event for byte in one_by_one(stream[:-1]) for event in decoder.feed(byte)]
        assert [Event("now")] == decoder.feed(stream[-1:])

    def test_an_lf_after_a_cr_is_not_a_second_line_end(self) -> None:
        """CR in one read and LF in the next are one line end, even with an empty read in between."""
        decoder = Decoder()
        assert [] == decoder.feed(b"data: a\r")
        assert [] == decoder.feed(b"")
        assert [] == decoder.feed(b"\ndata: b\r")
        assert [Event("a\nb")] == decoder.feed(b"\n\r")
        assert [] == decoder.feed(b"\n")

    def test_an_unfinished_tail_is_dropped(self) -> None:
        """Bytes without a blank line after them never become an event and never set the last id."""
        decoder = Decoder()
        assert [] == decoder.feed(b"id: 5\ndata: never\n")
        assert "" == decoder.last_event_id

    def test_an_id_without_data_counts(self) -> None:
        """A frame with only an id dispatches no event but sets the last id."""
        assert Reading([], "5", None) == decoded([b"id: 5\n\n"])

    def test_a_comment_is_nothing(self) -> None:
        """A ping between frames or inside one has no effect on the events."""
        assert [Event("a"), Event("b\nc")] == decoded([b"data: a\n\n", PING, b"data: b\n: ping\ndata: c\n\n"]).events

    @pytest.mark.parametrize("value", ["", "-1", "+1", "1.5", "1e3", "0x10", "1 ", " 1", "1_000", "٣", "²"])
    def test_a_retry_that_is_not_digits_is_ignored(self, value: str) -> None:
        """A retry that is not all ASCII digits is ignored, and the previous value stays."""
        assert 250 == decoded([f"retry: 250\nretry: {value}\n\n".encode()]).retry

    def test_a_retry_of_thousands_of_digits_is_ignored(self) -> None:
        """A retry with more digits than Python can parse raises no exception."""
        assert Reading([Event("x")], "", None) == decoded([b"retry: " + b"9" * 10_000 + b"\ndata: x\n\n"])


class TestDecoderLimit:
    """The decoder holds no frame larger than the limit."""

    def test_a_frame_at_the_limit_passes(self) -> None:
        """A frame of exactly the limit is an event, and the limit applies to each frame separately."""
        decoder = Decoder(max_frame_bytes=16)
        for _ in range(3):
            assert [Event("0123456789")] == decoder.feed(b"data: 0123456789\n\n")

    @pytest.mark.parametrize("stream", [b"data: 01234567890", b"data: 0\ndata: 0\ndat", b": 012345678901234", b"x" * 17])
    def test_a_larger_one_is_a_typed_error(self, stream: bytes) -> None:
        """The first byte over the limit raises FrameTooLarge, whatever the frame holds, fed whole or in tiny pieces."""
        for pieces in ([stream], one_by_one(stream)):
            decoder = Decoder(max_frame_bytes=16)
            for piece in pieces[:-1]:
                decoder.feed(piece)
            with pytest.raises(FrameTooLarge) as raised:
                decoder.feed(pieces[-1])
            assert 16 == raised.value.limit

    @given(stream=STREAMS.map(lambda stream: stream.replace(b"\xef\xbb\xbf", b"")), places=PLACES, limit=st.integers(1, 30))
    @example(stream=b"data: a\ndata: b\n\n", places=[], limit=10)
    def test_the_cut_does_not_matter(self, stream: bytes, places: list[int], limit: int) -> None:
        """Whether a stream is too large does not depend on how it is cut."""

        def too_large(pieces: list[bytes]) -> bool:
            decoder = Decoder(max_frame_bytes=limit)
            try:
                for piece in pieces:
                    decoder.feed(piece)
            except FrameTooLarge:
                return True
            return False

        assert too_large([stream]) == too_large(one_by_one(stream)) == too_large(cut(stream, places))


class TestFrameSplitter:
    """Streams of our own hops are cut into frames but not decoded."""

    @given(stream=STREAMS, places=PLACES)
    @example(stream=b"\n\n\n\n\na\n\n\nb", places=[1, 3])
    def test_joined_together_the_frames_are_what_was_fed(self, stream: bytes, places: list[int]) -> None:
        """However the reads are cut, no byte is lost, changed or moved, and every frame ends at its first blank line."""
        whole = FrameSplitter()
        frames = whole.feed(stream)
        assert stream == b"".join(frames) + whole.pending
        assert all(frame.find(b"\n\n") == len(frame) - 2 for frame in frames)
        assert b"\n\n" not in whole.pending
        for pieces in (one_by_one(stream), cut(stream, places)):
            splitter = FrameSplitter()
            assert frames == [frame for piece in pieces for frame in splitter.feed(piece)]
            assert whole.pending == splitter.pending

    @given(texts=st.lists(st.text(max_size=8)), places=PLACES)
    def test_cuts_what_is_encoded(self, texts: list[str], places: list[int]) -> None:
        """Encoded frames come out unchanged."""
        frames = [encode(text, id=index) for index, text in enumerate(texts)]
        splitter = FrameSplitter()
        assert frames == [frame for piece in cut(b"".join(frames), places) for frame in splitter.feed(piece)]
        assert b"" == splitter.pending

    def test_a_frame_is_there_with_its_last_byte(self) -> None:
        """The read that completes a frame returns it."""
        splitter = FrameSplitter()
        assert [] == [frame for byte in one_by_one(DONE[:-1]) for frame in splitter.feed(byte)]
        assert [DONE] == splitter.feed(DONE[-1:])

    @pytest.mark.parametrize("before", [b"", b"data: a\n\n", b"data: a\n\ndata: b\n\n"])
    def test_a_frame_at_the_limit_passes(self, before: bytes) -> None:
        """A frame of exactly the limit, including its blank line, passes whole and byte by byte."""
        frame = b"data: 01234567\n\n"
        for pieces in ([before + frame], one_by_one(before + frame)):
            splitter = FrameSplitter(max_frame_bytes=len(frame))
            assert frame == [frame for piece in pieces for frame in splitter.feed(piece)][-1]

    @pytest.mark.parametrize("after", [b"", b"data: a\n\n", b"data:"])
    def test_a_larger_one_is_a_typed_error(self, after: bytes) -> None:
        """A frame over the limit raises FrameTooLarge, whole or in tiny pieces, ended or not."""
        for frame in (b"data: 012345678\n\n", b"data: 01234567890"):
            for pieces in ([frame + after], one_by_one(frame + after)):
                splitter = FrameSplitter(max_frame_bytes=16)
                with pytest.raises(FrameTooLarge) as raised:
                    for piece in pieces:
                        splitter.feed(piece)
                assert 16 == raised.value.limit

    @given(stream=STREAMS, places=PLACES, limit=st.integers(2, 30))
    @example(stream=b"data: a\n\n", places=[8], limit=8)
    def test_the_cut_does_not_matter_to_the_limit(self, stream: bytes, places: list[int], limit: int) -> None:
        """Whether a stream is too large does not depend on how it is cut."""

        def too_large(pieces: list[bytes]) -> bool:
            splitter = FrameSplitter(max_frame_bytes=limit)
            try:
                for piece in pieces:
                    splitter.feed(piece)
            except FrameTooLarge:
                return True
            return False

        assert too_large([stream]) == too_large(one_by_one(stream)) == too_large(cut(stream, places))


@pytest.mark.parametrize("reader", [Decoder, FrameSplitter])
@pytest.mark.parametrize("unit", [b"x", b"data: 0123456789\n"], ids=["one line", "many lines"])
def test_a_large_frame_in_tiny_pieces_takes_linear_time(reader: type[Decoder] | type[FrameSplitter], unit: bytes) -> None:
    """A frame of 2 MiB in pieces of 64 bytes is read in linear time, without copying or searching all of it again for each piece.

    A linear reader takes a few hundredths of a second of CPU time. A quadratic one would handle 32 GiB.
    """
    frame = b"data: " + unit * (2 * 1024 * 1024 // len(unit)) + b"\n\n"
    pieces = [frame[place : place + 64] for place in range(0, len(frame), 64)]
    instance = reader()
    begun = time.process_time()
    found = [one for piece in pieces for one in instance.feed(piece)]
    assert time.process_time() - begun < 1.0
    assert 1 == len(found)


def test_frames_before_one_that_is_too_large_are_told() -> None:
    """If a frame breaks the limit, the whole frames before it in the same feed are not lost."""
    splitter = FrameSplitter(max_frame_bytes=20)
    with pytest.raises(FrameTooLarge) as caught:
        splitter.feed(b"data: 1\n\ndata: 2\n\ndata: " + b"x" * 30 + b"\n\ndata: 3\n\n")
    assert [b"data: 1\n\n", b"data: 2\n\n"] == caught.value.frames
