"""Text that nobody types and numbers that nobody counts, wherever the middle tier takes some: never a fault."""

from __future__ import annotations

import pytest

from tests.client_server.visitor import Visitor

ODD = ["%00", "%ED%A0%80", "%FF", "-1", "1e400", "NaN", "99999999999999999999", "a" * 3000, "%0D%0A", "%2e%2e%2f", "%F0%9F%98%80"]
"""U+0000, half of a surrogate pair, a byte that is not UTF-8, and so on, as they stand in an address or a form."""
VALUES = ['"\\u0000"', '"\\ud800"', "NaN", "-Infinity", "1e400", "-1", "99999999999999999999", "[[[[]]]]", "{}", '""', "null", "true"]


@pytest.mark.parametrize("odd", ODD)
async def test_in_addresses(guest: Visitor, odd: str) -> None:
    """There is nothing there."""
    for path in (f"/c/{odd}", f"/chat/turns/{odd}", f"/chat/turns/{odd}/events", f"/chat/turns/{odd}/timing", f"/static/{odd}", f"/{odd}"):
        assert (await guest.http.get(path)).status_code == 404
    for path in (f"/chat/turns/{odd}/stop", f"/chat/turns/{odd}/regenerate"):
        assert (await guest.post(path)).status_code == 404
    refused = await guest.http.get(f"/chat/turns/x/events?last_event_id={odd}")
    assert (refused.status_code, refused.json()["error"]["code"]) in [(400, "invalid_request"), (404, "not_found")]


@pytest.mark.parametrize("odd", ODD)
async def test_in_forms(guest: Visitor, odd: str) -> None:
    """A field is refused, or its text is taken as it is: a message may be anything that is text."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": guest.url, "X-CSRF-Token": guest.token}
    for field in ("message", "conversation_id", "model_group", "temperature", "stream", "csrf_token", odd):
        fields = {"message": "1 1 1", "model_group": "text"} | {field: odd}
        body = "&".join(f"{name}={value}" for name, value in fields.items())
        response = await guest.http.post("/chat/messages", content=body, headers=headers)
        assert response.status_code < 500
        if response.status_code >= 400:
            assert response.json()["error"]["message"]


@pytest.mark.parametrize("name", ["Cookie", "Last-Event-ID", "X-Request-Id", "traceparent", "Accept", "Content-Type", "X-Forwarded-Proto"])
async def test_in_headers(guest: Visitor, name: str) -> None:
    """Bytes beyond ASCII, and numbers that are none."""
    for value in (b"\xff\xfe", b"-1", b"1e400", b"session=\xff.\xff", b"text/html;q=NaN", b"9" * 400, b""):
        for method, path in (("GET", "/"), ("GET", "/chat/turns/x/events"), ("POST", "/api/chat")):
            assert (await guest.http.request(method, path, headers={name.encode(): value})).status_code < 500


@pytest.mark.parametrize("value", VALUES)
async def test_in_json(guest: Visitor, value: str) -> None:
    """Each field of a chat, of a message, and of the browser's times."""
    headers = {"Content-Type": "application/json"}
    bodies = [
        f'{{"message": "1 1 1", "model_group": "text", "{name}": {value}}}' for name in ("model_group", "temperature", "seed", "user")
    ]
    bodies += [f'{{"model_group": "none", "{name}": {value}}}' for name in ("message", "messages")]
    bodies += [f'{{"model_group": "none", "messages": [{{"role": "user", "{name}": {value}}}]}}' for name in ("role", "content", "name")]
    for body in bodies:
        for path in ("/api/chat", "/api/chat/stream"):
            assert (await guest.http.post(path, content=body, headers=headers)).status_code < 500
    for name in ("hop", "received_at", "first_in_us", "arrivals_us", "frames", "dwell_us"):
        body = f'{{"hop": "browser", "received_at": 1, "{name}": {value}}}'
        assert (await guest.http.post("/chat/turns/x/timing", content=body, headers=headers)).status_code in (400, 404, 422)
