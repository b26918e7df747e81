"""What a provider says about its error, fit for a log: its words stay, and nothing that could be a credential does."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hop.json import read
from llm_providers import OpenAI, ProviderError
from llm_providers.reasons import MAX_CHARACTERS, scrubbed, told, words

KEY = "our-own+key/4711"


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 8192 tokens, but you asked for 9000 (context_length_exceeded).",
        "The model `claude-3-5-sonnet-20241022` does not exist, nor does meta-llama/Llama-3.3-70B-Instruct-Turbo.",
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B is overloaded: see https://status.example.com/incidents/latest-one",
        "Limit 200000, used 199999: a task-force, a risk-free desk-top, max_completion_tokens: 4096, prompt_tokens: 12",
        "Zu viele Anfragen. 請稍後再試。",
        "the key is missing, the password is wrong, the token was revoked, the secret is required.",
        "Invalid token at position 12, token 151645 is unknown, token limit 8192, max_token: 12, prompt_tokens=5000000",
        "API key not valid. Please pass a valid API key. Your API key was not provided, or is invalid.",
        "No token was provided. unknown key `stream_options`, unexpected key 'messages[0].content', missing key: messages.0.content",
        "Basic authentication is required; a bearer token is missing. The api key expired on 2024-07-18.",
        "The key is for gpt-4o-mini-2024-07-18; try the key gpt-4o-mini-2024-07-18 or o1-preview-2024-09-12.",
        "Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8, mistralai/Mixtral-8x7B-Instruct-v0.1, DeepSeek-R1-0528-Qwen3-8B",
        "accounts/fireworks/models/qwen2p5-72b-instruct and neuralmagic/Meta-Llama-3.1-8B-Instruct-quantized.w4a16",
        "write to support@example.com or mailto:support@example.com, see https://example.com/@status and llama3:8b@sha256:0123",
        "internationalization of insufficientpermissions; a monkey: 7, a keyboard=us, passwordless: yes",
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
        ("password is hunter2secret", "hunter2"),
        ("the password was p4ss.", "p4ss"),
        ("passwd=foo", "foo"),
        ("PGPASSWORD='my own, pass & word'", "my own"),
        ("{'password': 'my own, pass & word'}", "my own"),
        ("Authorization: Token abcdef123456", "abcdef"),
        ("Authorization: Custom a b c\nd", "b"),
        ('{"Authorization": "Token s3"}', "s3"),
        (r"{\"authorization\": \"Token s3\"}", "s3"),
        ("Proxy-Authorization=Digest username=me, response=s3", "s3"),
        ("X-Api-Key abcdefghijklmnopq", "abcdef"),
        ("api key 1234567890abcdef is bad", "123456"),
        ("API key 'hunter2secret' is bad", "hunter2"),
        ("api_key_1: short", "short"),
        ("Incorrect API key provided: 1a2b3c4d5e6f7a8b.", "1a2b"),
        ("the secret key is correctHorse", "Horse"),
        ("key=abcdef123", "abcdef"),
        ("OPENAI_KEY=short", "short"),
        ('{"key": "abc123"}', "abc123"),
        ("your key abcdef123456 is bad", "abcdef"),
        ("accessToken: short", "short"),
        ("refresh_token: short", "short"),
        ("token abcdef123456 has expired", "abcdef"),
        ("bearer token a1b2c3 has expired", "a1b2"),
        ("the API key password is hunter2secret", "hunter2"),
        ("user:pass@host", "pass"),
        ("cannot reach redis://:pa$$@host:6379/0", "pa$$"),
        ("abc123-def456-ghi789-jkl012", "abc"),
        ("a1b2-c3d4-e5f6-7a8b-9c0d", "c3d4"),
        ("ab12.cd34.ef56.gh78.ij90", "cd34"),
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


def test_what_stands_around_a_credential_stays() -> None:
    """The sentence is still one, and a header ends with its line or its quotation."""
    assert "api key [hidden] is bad" == scrubbed("api key 1234567890abcdef is bad")
    assert "Authorization: [hidden] The next line" == scrubbed("Authorization: Token a b\nThe next line")
    assert '{"Authorization": "[hidden]", "x": 1}' == scrubbed('{"Authorization": "Token a", "x": 1}')
    assert "{'password': '[hidden]', 'user': 'me'}" == scrubbed("{'password': 'a, b', 'user': 'me'}")
    assert "cannot reach redis://[hidden]@host:6379/0" == scrubbed("cannot reach redis://me:own@host:6379/0")


UNITS = [
    *("a", "*", "-", "=", " ", "[", '"', "<", "a*", "**a", "a-", "ab-", "A1-", "-.", "a:", "a@", "a.b:", "://", "a://"),
    *("api-", "api-key-", "api key ", "sk-", "bearer ", "token", "token: ", "authorization:", 'authorization:"'),
    *("key:", "key: ", "key=", "key ", "key is ", "password:'", "password:"),
]


@pytest.mark.parametrize("unit", UNITS)
def test_no_text_takes_long(unit: str) -> None:
    """A text of any length and kind is looked at in part alone."""
    assert len(scrubbed(unit * (64 * 1024 // len(unit)), KEY)) <= MAX_CHARACTERS


@pytest.mark.parametrize("unit", UNITS)
def test_no_shape_of_text_holds_the_event_loop(unit: str) -> None:
    """All that is looked at takes time in proportion to its length: the worst shapes once took a hundred times as long."""

    def took(text: str) -> float:
        began = time.process_time()
        scrubbed(text, KEY)
        return time.process_time() - began

    assert min(took((unit * 2_000)[:2_000]) for _ in range(3)) < 0.02


@pytest.mark.parametrize("levels", [10, 990, 1_000, 1_023, 5_000])
@pytest.mark.parametrize(
    "form", ['{"message":%s}', '{"error":{"message":"No.","code":%s}}', '{"detail":%s}', '{"other":%s}', "%s", '{"error":%s}']
)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"message":', "}]")])
def test_no_depth_upsets_it(form: str, opening: str, closing: str, levels: int) -> None:
    """A value that is nested as deep as a parser allows is written in part, from a refusal and from a stream."""
    body = form % (opening * levels + "1" + closing * levels)
    error, said = told(body.encode())
    assert isinstance(error, dict)
    assert len(scrubbed(said)) <= MAX_CHARACTERS
    with suppress(ValueError):
        words(read(body))
    reader = OpenAI().reader()
    reader.feed(b"data: %b\n\n" % body.encode())
    assert reader.failure is None or isinstance(reader.failure, ProviderError)


def test_a_value_is_written_in_part() -> None:
    """A list of complaints is readable; a great one is not written whole."""
    _, said = told(b'{"detail":[{"loc":["body","x"],"msg":"Field required"}]}')
    assert "[{'loc': ['body', 'x'], 'msg': 'Field required'}]" == said
    _, said = told(b'{"detail":[%b1]}' % (b"1," * 10_000))
    assert len(said) < MAX_CHARACTERS


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
    found, said = told(body)
    assert (error, reason) == (found, scrubbed(said))


@given(st.binary())
def test_no_body_upsets_it(body: bytes) -> None:
    """Nor anything that begins like an error."""
    for text in (body, b'{"error":' + body, b'{"error":' + body + b"}", b"[" * 50_000 + body):
        error, said = told(text)
        assert isinstance(error, dict)
        assert isinstance(said, str)


SPELT = "sk-proj-AbCd1234EfGh5678"


@pytest.mark.parametrize(
    "spelling",
    [
        " ".join(SPELT),
        "-".join(SPELT),
        " ".join(SPELT[start : start + 4] for start in range(0, len(SPELT), 4)),
        "\n".join(SPELT[start : start + 6] for start in range(0, len(SPELT), 6)),
        "".join(f"%{ord(letter):02x}" for letter in SPELT),
        "".join(f"%25{ord(letter):02x}" for letter in SPELT),
        "".join(f"&#{ord(letter)};" for letter in SPELT),
        "".join(f"&#x{ord(letter):x};" for letter in SPELT),
        "".join(f"\\u{ord(letter):04x}" for letter in SPELT),
        "".join(f"\\x{ord(letter):02x}" for letter in SPELT),
        SPELT.upper(),
    ],
)
def test_our_key_goes_in_any_spelling(spelling: str) -> None:
    """Nothing of a text is logged in which the key could be read."""
    assert scrubbed(f"bad key {spelling} (c)", SPELT) in ("[hidden]", "bad key [hidden] (c)")
