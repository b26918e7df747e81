"""What a provider says about its error, fit for a log: its words stay, and nothing that could be a credential does."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_providers.reasons import MAX_CHARACTERS, scrubbed, told

KEY = "our-own+key/4711"


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 8192 tokens, but you asked for 9000 (context_length_exceeded).",
        "The model `claude-3-5-sonnet-20241022` does not exist, nor does meta-llama/Llama-3.3-70B-Instruct-Turbo.",
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B is overloaded: see https://status.example.com/incidents/latest-one",
        "Limit 200000, used 199999: a task-force, a risk-free desk-top, max_completion_tokens: 4096, prompt_tokens: 12",
        "Zu viele Anfragen. 請稍後再試。",
    ],
)
def test_words_stay(text: str) -> None:
    """Names of models, of fields and of places are what an operator looks for."""
    assert text == scrubbed(text, KEY)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"{KEY} is wrong", KEY),
        (f"https://x/?a={quote(KEY, safe='')}&b", quote(KEY, safe="")),
        (f"no\nblank{KEY}around", KEY),
        ("Incorrect API key provided: sk-abc.", "sk-abc"),
        ("Incorrect API key provided: SK-Proj-a_b-c!", "SK-Proj"),
        ("provided: sk-proj-ab***************yz", "yz"),
        ("the key abcd****wxyz", "wxyz"),
        ("Authorization: Bearer short", "short"),
        ("authorization: basic dXNlcg==", "dXNlcg"),
        ('{"x-api-key": "short"}', "short"),
        ("OPENAI_API_KEY=short", "short"),
        ("token=short&x", "short"),
        ("client_secret: short", "short"),
        ("http://user:short@proxy:3128/", "short"),
        ("0123456789abcdef0123456789abcdef", "0123456789"),
        ("key AKIAIOSFODNN7EXAMPLE", "AKIA"),
        ("AIzaSyA-1234567890abcdefghijklmnopqrstu", "AIza"),
        ("YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo=", "YWJj"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2ln", "c2ln"),
        ("abcdefghijklmnopqrstuvwxyzabcdef", "abcdef"),
    ],
)
def test_credentials_go(text: str, secret: str) -> None:
    """Our own key in any place, what is announced as one, and what looks like one."""
    assert secret not in scrubbed(text, KEY)


def test_a_placeholder_is_no_key() -> None:
    """Local servers are given a key of a letter or two, which would hide half of each word."""
    assert "an example" == scrubbed("an example", "a")


def test_it_is_one_bounded_line() -> None:
    """Line ends and blanks are one blank, what is not printed goes, and what is too long says that it goes on."""
    assert "a b c[31m d" == scrubbed(" a\r\n\tb\u2028c\x1b[31m\u200b\0 d ")
    long = scrubbed("word " * 10_000)
    assert MAX_CHARACTERS == len(long)
    assert long.endswith("…")


def test_half_a_key_is_not_shown() -> None:
    """Neither where the text is cut for the log nor where it is cut before it is looked at."""
    for place in range(MAX_CHARACTERS - 20, 2_010):
        assert "our-" not in scrubbed("x " * (place // 2) + KEY, KEY)


@given(st.text(), st.text(), st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=40))
def test_our_key_is_never_in_it(before: str, after: str, key: str) -> None:
    """Whatever it looks like and wherever it stands, unless it is a piece of what hides it."""
    shown = scrubbed(before + key + after, key)
    assert key not in shown or key in "[hidden]"
    assert len(shown) <= MAX_CHARACTERS
    assert "\n" not in shown


@pytest.mark.parametrize("unit", ["a", "*", "-", "a-", "api-key-", "<", "a*", "://", "token", "sk-", "=", " ", "[", '"'])
def test_no_text_takes_long(unit: str) -> None:
    """A text of any length and kind is looked at in part alone."""
    assert len(scrubbed(unit * (64 * 1024 // len(unit)), KEY)) <= MAX_CHARACTERS


@pytest.mark.parametrize(
    ("body", "error", "reason"),
    [
        (b'{"error":{"message":"No.","type":"t","code":"c"}}', {"message": "No.", "type": "t", "code": "c"}, "No. (c)"),
        (b'{"error":{"message":"No.","type":"t","code":null}}', {"message": "No.", "type": "t", "code": None}, "No. (t)"),
        (b'{"error":{"code":"c"}}', {"code": "c"}, "c"),
        (b'{"error":"No."}', {"message": "No.", "error": "No."}, "No."),
        (b'{"message":"No."}', {"message": "No."}, "No."),
        (b'{"object":"error","message":"No.","code":40}', {"object": "error", "message": "No.", "code": 40}, "No. (40)"),
        (b'[{"error":{"message":"No.","status":"S"}}]', {"message": "No.", "status": "S"}, "No. (S)"),
        (b'{"detail":"No."}', {"detail": "No."}, "No."),
        (b"<html><b>502 Bad Gateway</b></html>", {}, "502 Bad Gateway"),
        (b"No.", {}, "No."),
        (b"", {}, ""),
        (b"null", {}, ""),
        (b"5", {}, "5"),
        (b"\xff", {}, "\ufffd"),
    ],
)
def test_each_shape_of_an_error_is_read(body: bytes, error: dict[str, Any], reason: str) -> None:
    """OpenAI's, its imitators', and a proxy's page."""
    found, words = told(body)
    assert (error, reason) == (found, scrubbed(words))


@given(st.binary())
def test_no_body_upsets_it(body: bytes) -> None:
    """Nor anything that begins like an error."""
    for text in (body, b'{"error":' + body, b'{"error":' + body + b"}", b"[" * 50_000 + body):
        error, words = told(text)
        assert isinstance(error, dict)
        assert isinstance(words, str)
