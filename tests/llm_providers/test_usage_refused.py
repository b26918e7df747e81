"""A provider that refuses `stream_options` is asked without it, and is not asked for it again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_providers import InvalidRequest, Target, Transport
from tests.support.scripted import Peer, answer, upstream

PARAMS = {"messages": [{"role": "user", "content": "x"}]}
STREAM = b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
UNKNOWN = {"detail": [{"loc": ["body", "stream_options"], "msg": "extra fields not permitted"}]}
NAMED = {"error": {"message": "Unrecognized request argument supplied: stream_options", "type": "invalid_request_error"}}
OTHER = {"error": {"message": "messages: too many"}}


class Fussy:
    """Refuses requests in which `stream_options` stands, or all, and notes what it was asked."""

    def __init__(self, status: bytes, body: Any, *, all_of_them: bool = False) -> None:
        self.asked: list[bool] = []
        self._all = all_of_them
        self._refusal = answer(json.dumps(body).encode()).replace(b"200 OK", status)

    async def __call__(self, peer: Peer) -> None:
        while True:
            request = await peer.request()
            self.asked.append(b"stream_options" in request)
            await peer.send(self._refusal if self._all or self.asked[-1] else answer(STREAM))


@pytest.mark.parametrize(
    ("status", "body"), [(b"422 X", UNKNOWN), (b"422 X", {}), (b"400 X", NAMED), (b"400 X", {"message": "include_usage: no"})]
)
async def test_it_is_asked_once_without_and_remembered(status: bytes, body: Any) -> None:
    """The next stream of the same deployment does without from the start; another deployment is asked in full."""
    fussy = Fussy(status, body)
    async with upstream(fussy) as server, Transport() as transport:
        target, other = Target("openai", "m", server.url, None), Target("openai", "n", server.url, None)
        got: list[int] = []
        for where, asked in ((target, [True, False]), (target, [False]), (other, [True, False])):
            fussy.asked.clear()
            got.clear()
            await transport.stream(where, PARAMS, lambda frames, size: got.append(len(frames)))
            assert (fussy.asked, sum(got)) == (asked, 1)


async def test_a_request_that_is_wrong_for_another_reason() -> None:
    """It is not repeated if the provider says why, and nothing is remembered if the second try fails too."""
    for status, body, asked in ((b"400 X", OTHER, [True]), (b"422 X", OTHER, [True, False])):
        fussy = Fussy(status, body, all_of_them=True)
        async with upstream(fussy) as server, Transport() as transport:
            for _ in range(2):
                fussy.asked.clear()
                with pytest.raises(InvalidRequest):
                    await transport.stream(Target("openai", "m", server.url, None), PARAMS, lambda some, size: None)
                assert fussy.asked == asked
