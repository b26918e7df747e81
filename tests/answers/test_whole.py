"""A stream that comes where a whole answer was asked for is read as one."""

from __future__ import annotations

import pytest

from llm_providers.errors import ProviderError
from llm_providers.openai import OpenAI
from tests.answers.case import Case
from tests.answers.cases import CASES
from wire.accumulate import Accumulator
from wire.chunks import as_chunk

STREAMS = [case for case in CASES if case.body.lstrip(b"\xef\xbb\xbf\r\n ").startswith((b"data", b"event", b"id:", b":", b"retry"))]


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.id)
async def test_a_stream_for_a_whole_answer(case: Case) -> None:
    """It has the same text and calls, or fails if the stream would."""
    dialect, answer = OpenAI(), Accumulator()
    try:
        answer.add(as_chunk(dialect.completion(await dialect.whole(case.body))))
    except ProviderError:
        assert case.error is not None or not (case.text or case.reasoning or case.refusal or case.calls)
    else:
        assert case.error in (None, "upstream_protocol", "upstream_truncated") or case.finish_reason is not None
        if case.error is None:
            assert (answer.content, answer.reasoning, answer.refusal) == (case.text, case.reasoning, case.refusal)
            assert tuple((call.name, call.arguments) for call in answer.tool_calls.values()) == case.calls
