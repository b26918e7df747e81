"""`hop.requests`: what an address is, what lies below a base, and what a header can carry."""

from __future__ import annotations

import pytest

from hop.door import Way, unusable_proxy
from hop.requests import address, base_address, below, header_value

HOST, PORT = "its host is not a name or an address", "its port is not a number from 1 to 65535"
NONE, SCHEME = "it has no host", "it must begin with http:// or https://"
CHARACTER = "it holds a blank or another character that cannot be in an address"


@pytest.mark.parametrize(
    ("url", "origin", "host", "target"),
    [
        ("http://a", ("http", "a", 80), "a", "/"),
        ("HTTPS://A.example./x/?y=z", ("https", "a.example.", 443), "A.example.", "/x/?y=z"),
        ("https://a:8443?x=http://b@c/d", ("https", "a", 8443), "a:8443", "/?x=http://b@c/d"),
        ("http://[::1]:8003/v1", ("http", "::1", 8003), "[::1]:8003", "/v1"),
        ("http://[fd00::1]", ("http", "fd00::1", 80), "[fd00::1]", "/"),
        ("http://[fe80::1%eth0]:80/x", ("http", "fe80::1%eth0", 80), "[fe80::1]:80", "/x"),
        ("http://10.0.0.7:65535/a%20b", ("http", "10.0.0.7", 65535), "10.0.0.7:65535", "/a%20b"),
    ],
)
def test_an_address(url: str, origin: tuple[str, str, int], host: str, target: str) -> None:
    """An address has an origin, a `Host` and a target; an IPv6 address stands in brackets, and its zone stays on this machine."""
    assert (origin, host, target) == address(url)
    assert url == base_address(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", SCHEME),
        ("a:80", SCHEME),
        ("ftp://a", SCHEME),
        ("//a/b", SCHEME),
        ("http:a", SCHEME),
        ("http:///x", NONE),
        ("http://", NONE),
        ("http://:80", NONE),
        ("https://?v=1", NONE),
        ("http://a:0", PORT),
        ("http://a:99999/v1", PORT),
        ("http://[::1]:65536", PORT),
        ("http://a:8_0", PORT),
        ("http://a:port", PORT),
        ("http://[::1", HOST),
        ("http://[::1]80", HOST),
        ("http://[1.2.3.4]", HOST),
        ("http://[]", HOST),
        ("http://a..b", HOST),
        ("http://a%2eb", HOST),
        (f"http://{'a' * 64}", HOST),
        (f"http://{'a.' * 127}aa", HOST),
        ("http://a b", CHARACTER),
        ("http://a/b c", CHARACTER),
        (" http://a", CHARACTER),
        ("http://a\n", CHARACTER),
        ("http://a\r\nX: y", CHARACTER),
        ("http://bücher.example", CHARACTER),
        ("https://{resource}.example", CHARACTER),
        ("http://a\\b", CHARACTER),
    ],
)
def test_what_is_no_address(url: str, said: str) -> None:
    """Everything else is refused in half a sentence that does not repeat it."""
    with pytest.raises(ValueError) as refused:
        address(url)
    assert said == str(refused.value)
    with pytest.raises(ValueError):
        base_address(url)


@pytest.mark.parametrize("url", ["http://user@a", "http://user:secret@a/v1", "http://@a", "https://a/v1#x", "https://a/#", "https://a?x#"])
def test_what_is_no_base(url: str) -> None:
    """A user, a password and a fragment never reach the server, so a setting must not hold them."""
    address(url)
    with pytest.raises(ValueError) as refused:
        base_address(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("base", "whole"),
    [
        ("https://a", "https://a/x/y"),
        ("https://a/", "https://a/x/y"),
        ("https://a/v1", "https://a/v1/x/y"),
        ("https://a/v1//", "https://a/v1/x/y"),
        ("https://a/base?api-version=1", "https://a/base/x/y?api-version=1"),
        ("https://a/base/?b=c/&d=/", "https://a/base/x/y?b=c/&d=/"),
        ("https://a?v=1", "https://a/x/y?v=1"),
        ("https://a/b?u=http://c?d", "https://a/b/x/y?u=http://c?d"),
    ],
)
def test_below_a_base(base: str, whole: str) -> None:
    """The path follows the base's own path, and the base's query stays at the end."""
    assert whole == below(base, "/x/y")


@pytest.mark.parametrize("value", ["sk-1", "with a blank", "käse", "~!@#$%^&*()_+"])
def test_a_header_carries(value: str) -> None:
    """Printable Latin-1 is carried as it is."""
    assert value == header_value(value)


@pytest.mark.parametrize(
    "ending", ["\n", "\r\nX: y", "\t", " ", "\0b", "\x7f", "\x85b", "\xa0", "€", "\u200b", "\udc80", "\ufeff"], ids=ascii
)
def test_a_header_does_not_carry(ending: str) -> None:
    """Line ends, what does not show, and what is not Latin-1 are refused, and not repeated."""
    with pytest.raises(ValueError) as refused:
        header_value(f"secret{ending}")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "proxy",
    ["http://proxy:99999", "http://proxy:0", "http://", "ftp://proxy", "http://u:secret@pro xy:1", "http://[::1", "http://u:secret@a\n:80"],
)
def test_a_proxy_that_cannot_be_used(proxy: str) -> None:
    """The variable that names it is told, and not its password; who needs no proxy does not hear of it."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        variable, said = unusable_proxy("https://provider.test/v1", environ={name: proxy}) or ("", "")
        assert name == variable
        assert "is not the address of one" in said
        assert "secret" not in said
    environ = {"HTTPS_PROXY": proxy}
    assert unusable_proxy("http://provider.test/v1", environ=environ) is None
    assert unusable_proxy("https://127.0.0.1/v1", environ=environ) is None
    assert unusable_proxy("https://provider.test/v1", Way("direct"), environ) is None
    assert unusable_proxy("https://provider.test/v1", environ=environ | {"NO_PROXY": "provider.test"}) is None


@pytest.mark.parametrize("proxy", ["http://proxy:3128", "proxy:3128", "https://u:p%3Aw@proxy/", "http://[::1]:3128"])
def test_a_proxy_that_can_be_used(proxy: str) -> None:
    """With and without a scheme, a port and a password."""
    assert unusable_proxy("https://provider.test/v1", environ={"HTTPS_PROXY": proxy}) is None
