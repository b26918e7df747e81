"""`saas_api.progress`: what a call's log tells about its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_providers import ProtocolViolation, Truncated
from saas_api.progress import Progress
from wire.log import StreamLog

ROLE: dict[str, Any] = {"choices": [{"delta": {"role": "assistant", "content": ""}}]}
TEXT: dict[str, Any] = {"choices": [{"delta": {"content": "x"}}]}
STOP: dict[str, Any] = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
USAGE: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


def add(log: StreamLog, *chunks: dict[str, Any]) -> None:
    for chunk in chunks:
        log.append([b"id: %d\ndata: %b\n\n" % (len(log), json.dumps(chunk).encode())])


@pytest.mark.parametrize(("chunks", "there"), [([], False), ([ROLE], False), ([ROLE, TEXT], True), ([ROLE] * 33, True)])
def test_a_token_is_more_than_a_role(chunks: list[dict[str, Any]], there: bool) -> None:
    """Unless so much has come that it must be an answer of a kind unknown to us."""
    log = StreamLog()
    progress = Progress(log)
    add(log, *chunks)
    assert progress.has_token() is there


@pytest.mark.parametrize("last", [[STOP], [STOP, USAGE], [STOP, USAGE, ROLE]])
async def test_a_finished_answer_is_over_once_it_is_quiet(last: list[dict[str, Any]]) -> None:
    """Between two looks nothing may have come. Usage that comes late puts it off."""
    log = StreamLog()
    progress = Progress(log)
    assert not await progress.is_finished()
    add(log, TEXT, *last)
    assert [False, False, True] == [progress.is_over() for _ in range(3)]
    add(log, USAGE)
    assert [False, False, True] == [progress.is_over() for _ in range(3)]
    assert await progress.is_finished()


async def test_an_unfinished_answer_is_never_over() -> None:
    """However long its model thinks: before the first token, or in the middle."""
    log = StreamLog()
    progress = Progress(log)
    for chunk in (None, ROLE, TEXT):
        if chunk:
            add(log, chunk)
        assert not any(progress.is_over() for _ in range(5))
        assert not await progress.is_finished()


async def test_what_another_deployment_sent_is_no_part_of_it() -> None:
    """Its finish reason does not end this attempt, its usage is not this one's, and its role is no answer."""
    log = StreamLog()
    add(log, ROLE, STOP, USAGE)
    progress = Progress(log)
    assert not any(progress.is_over() for _ in range(5))
    assert not progress.has_token()
    assert not await progress.is_finished()
    with pytest.raises(Truncated):
        await progress.check()
    add(log, ROLE, TEXT, STOP)
    assert progress.has_token()
    await progress.check()
    assert (progress.fold.answer.content, progress.fold.answer.usage, progress.fold.first_token) == ("x", None, 4)


@pytest.mark.parametrize("frame", [b'data: {"choices":[{"delta":{"content":"x"}]}\n\n', b"data: {choices}\n\n"])
async def test_a_chunk_that_is_no_json_is_no_answer(frame: bytes) -> None:
    """Even if it looked like one on its way."""
    log = StreamLog()
    progress = Progress(log)
    add(log, TEXT)
    log.append([b"id: 1\n" + frame])
    add(log, STOP)
    with pytest.raises(ProtocolViolation):
        await progress.check()
