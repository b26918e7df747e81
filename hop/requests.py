"""What a request is made of: where it goes, and its bytes. And what cannot be a part of one, in half a sentence for whoever wrote it.

The same rules hold for settings, which are checked when a server starts, and for each request. None of their errors repeats a value: an
address may hold a key, and a header often does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from urllib.parse import urlsplit

Origin = tuple[str, str, int]
"""Scheme, host and port."""

_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
"""Those of a URI (RFC 3986). Others are percent-encoded, or in a host's name written as Punycode."""
_NAME = re.compile(r"(?=.{1,253}\.?$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


def address(url: str) -> tuple[Origin, str, str]:
    """Where a request goes, with its `Host` and its target. A user, a password and a fragment are left out.

    Raises ValueError with half a sentence.
    """
    if not _CHARACTERS.fullmatch(url):
        raise ValueError("it holds a blank or another character that cannot be in an address")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("its host is not a name or an address") from None
    if parts.scheme not in ("http", "https") or not url[len(parts.scheme) :].startswith("://"):
        raise ValueError("it must begin with http:// or https://")
    if not parts.hostname:
        raise ValueError("it has no host")
    host = _host(parts.netloc.rpartition("@")[2])
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("its port is not a number from 1 to 65535")
    origin = (parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))
    return origin, host, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def base_address(url: str) -> str:
    """The same address, if others can be made from it with `below`. Raises ValueError with half a sentence."""
    address(url)
    if "@" in urlsplit(url).netloc:
        raise ValueError("it must not hold a user or a password")
    if "#" in url:
        raise ValueError("it must not have a fragment (#)")
    return url


def below(base: str, path: str) -> str:
    """The address of `path` below a base. The base's own query stays behind the path: `https://host/base?v=1` has `…/base/path?v=1`."""
    start, question, query = base.partition("?")
    return f"{start.rstrip('/')}{path}{question}{query}"


def header_value(value: str) -> str:
    """The same value, if a header can carry it as it is. Raises ValueError with half a sentence.

    It is printable Latin-1, without blanks at its ends, which a reader would remove.
    """
    if value != value.strip() or not value.isprintable():
        raise ValueError("it holds a line end, a blank at one of its ends or another character that does not show")
    if any(character > "\xff" for character in value):
        raise ValueError("it holds a character that cannot be in a header")
    return value


def request_bytes(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A whole request. Raises ValueError if a header could be read as more than one."""
    fields = dict(headers)
    if body or method == "POST":
        fields["Content-Length"] = str(len(body))
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in fields.items()]])
    if head.count("\r") != len(fields) or head.count("\n") != len(fields) or "\0" in head:
        raise ValueError("a header holds a line end")
    return head.encode("latin-1") + b"\r\n\r\n" + body


def _host(netloc: str) -> str:
    """The value of `Host`. Raises ValueError for what is neither a name nor an address."""
    name, bracket, port = netloc.rpartition("]") if netloc.startswith("[") else (netloc.partition(":")[0], "", netloc)
    if not bracket:
        if _NAME.fullmatch(name):
            return netloc
    elif not port or port.startswith(":"):
        literal, _, zone = name[1:].partition("%")
        try:
            IPv6Address(literal)
        except ValueError:
            pass  # what is in the brackets is something else
        else:
            return f"[{literal}]{port}" if zone else netloc  # a zone means nothing on another machine (RFC 6874)
    raise ValueError("its host is not a name or an address")
