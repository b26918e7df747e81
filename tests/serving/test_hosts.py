"""`serving.hosts` and the edge: a server answers to its own names alone. Over real sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serving.edge import Edge
from serving.hosts import Hosts, advice, named, served
from tests.serving.echo import Echo
from tests.support.served import Connection, serving, until
from wire.errors import ErrorCode, WireError


async def answers(hosts: Hosts, *heads: str) -> list[int]:
    """The status of each of these requests, sent over one connection."""
    async with serving(Edge(Echo(), hosts=hosts)) as port, Connection(port) as client:
        statuses = []
        for head in heads:
            await client.send(head.encode("latin-1"))
            statuses.append((await client.response())[0])
        return statuses


async def statuses(hosts: Hosts, *names: str) -> dict[str, int]:
    """What a request gets under each of these names."""
    return dict(zip(names, await answers(hosts, *(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n" for name in names)), strict=True))


async def test_it_answers_to_loopback_and_to_what_it_binds() -> None:
    """By default it answers to these, with any port, in any case, but to no name that only begins or ends like one of them."""
    ours = ["localhost", "LocalHost:8001", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8001", "10.1.2.3:8001", "localhost:"]
    strange = ["evil.example", "evil.example:8001", "localhost.evil.example", "xlocalhost", "127.0.0.2", "::1", "[::2]", "10.1.2.30", "*"]
    broken = [
        "",
        "localhost:80:80",
        "localhost:x",
        "localhost/",
        "user@localhost",
        "local host",
        "[::1",
        "[0:0::1]",
        "höst",
        "*.localhost",
        ".",
    ]
    found = await statuses(served(None, "10.1.2.3"), *ours, *strange, *broken)
    assert found == dict.fromkeys(ours, 200) | dict.fromkeys(strange + broken, 400)


@pytest.mark.parametrize(("bound", "own"), [("2001:DB8::7", "[2001:db8::7]"), ("Chat.Example.Com", "chat.example.com")])
async def test_the_bound_address_is_a_name_too(bound: str, own: str) -> None:
    """An IPv6 address stands in brackets in a request, and a host name may be bound as well."""
    assert await statuses(served(None, bound), own, "0.0.0.0") == {own: 200, "0.0.0.0": 400}  # a name, not bound


async def test_allowed_hosts_adds_names() -> None:
    """Names, addresses and everything below a name, separated by commas; loopback stays."""
    hosts = served(" Chat.example.com, *.internal.example ,2001:db8::9,,10.0.0.9", "::")
    good = ["chat.example.com", "a.internal.example:443", "a.b.internal.example", "[2001:db8::9]", "10.0.0.9:80", "localhost:8001"]
    bad = ["internal.example", "xinternal.example", "example.com", "a.chat.example.com", "[::]", ".internal.example.evil.example"]
    assert await statuses(hosts, *good, *bad) == dict.fromkeys(good, 200) | dict.fromkeys(bad, 400)


async def test_a_star_switches_it_off() -> None:
    """Any name will do, and so will none."""
    hosts = served("*", "127.0.0.1")
    assert {200} == set((await statuses(hosts, "evil.example", "nonsense at all", "")).values())
    assert [200] == await answers(hosts, "GET / HTTP/1.0\r\n\r\n")


async def test_a_request_without_a_name() -> None:
    """It is refused, as HTTP/1.1 requires; a health check needs none."""
    hosts = served(None, "127.0.0.1")
    assert [400, 200, 400] == await answers(
        hosts, "GET / HTTP/1.1\r\n\r\n", "GET /health HTTP/1.1\r\n\r\n", "POST /health HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
    )
    assert [400] == await answers(hosts, "GET / HTTP/1.0\r\n\r\n")
    assert [200] == await answers(hosts, "GET /health HTTP/1.0\r\n\r\n")
    assert [400] == await answers(hosts, "GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n")


async def test_two_names_are_none() -> None:
    """A request with two is refused: code behind the edge might read the other one."""
    local, evil = "Host: localhost\r\n", "Host: evil.example\r\n"
    for pair in (local + evil, evil + local, local + local):
        assert [400] == await answers(served(None, "127.0.0.1"), f"GET / HTTP/1.1\r\n{pair}\r\n")
    cookies = "Cookie: a=1\r\nCookie: b=2\r\n"
    assert [200] == await answers(served(None, "127.0.0.1"), f"GET / HTTP/1.1\r\n{local}{cookies}\r\n")


async def test_the_refusal_comes_before_the_app_and_the_body(access: list[dict[str, Any]]) -> None:
    """In our form, logged as a request, and without waiting for what the request still wants to send."""
    echo = Echo()
    async with serving(Edge(echo, hosts=served(None, "127.0.0.1"))) as port, Connection(port) as client:
        await client.send(b"POST /x HTTP/1.1\r\nHost: evil.example\r\nX-Request-Id: r-1\r\nContent-Length: 9\r\n\r\n")
        status, headers, body = await client.response()
        await until(lambda: len(access) == 1)
    error = json.loads(body)["error"]
    assert (400, "invalid_request", False, "r-1") == (status, error["code"], error["retryable"], error["request_id"])
    assert "r-1" == headers["x-request-id"]
    assert "ALLOWED_HOSTS" in error["message"]
    assert "evil" not in error["message"]
    assert WireError(ErrorCode.INVALID_REQUEST, error["message"], request_id="r-1").to_body() == body
    assert [] == echo.calls
    assert ("/x", 400) == (access[0]["path"], access[0]["status"])


async def test_what_it_remembers_is_bounded() -> None:
    """A client that asks under ever new ports is answered and does not fill the memory."""
    hosts = served("*.example.com", "127.0.0.1")
    assert all(hosts.serve(f"x{number}.example.com:{number}".encode()) for number in range(5000))
    assert len(hosts._known) <= 1024


@pytest.mark.parametrize("value", ["http://chat.example.com", "chat.example.com:443", "a b", "chat.*", "**", "exa$mple", "a..b", "[::1"])
def test_what_is_no_name_is_told(value: str) -> None:
    """A value that could never match is an error and not a silent refusal of everyone."""
    with pytest.raises(ValueError, match="is not a host name"):
        named(f"localhost,{value}")


def test_who_needs_advice() -> None:
    """The operator of a server that is reached from elsewhere and does not know under which name."""
    assert all("ALLOWED_HOSTS" in (advice(None, bound) or "") for bound in ("0.0.0.0", "::"))  # told about, not bound
    assert advice(None, "127.0.0.1") is advice("chat.example.com", "0.0.0.0") is advice("*", "::") is None  # the same
