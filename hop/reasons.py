"""Why there is no connection, in one sentence for a log, without a traceback and without a secret.

A library wraps the operating system's error in its own, or several errors in a group. So the whole chain of causes is searched, including
the part that `raise … from None` hides from a traceback.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator

_MUTE = {errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE}


def no_connection(error: BaseException, peer: str, *, proxy: str | None = None) -> str:
    """The sentence, without its full stop, for a failed connection to `peer` (host:port), through `proxy` if there is one."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate of {peer} is not trusted: {cause.verify_message.rstrip('.')}"
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return f"{peer} does not speak TLS with us: {cause.reason.replace('_', ' ').lower()}"
    asked = peer if proxy is None else f"the proxy {proxy}"
    for cause in causes:
        if sentence := _from_system(cause, asked):
            return sentence
    return f"{asked} cannot be reached: {type(causes[-1]).__name__}"


def _from_system(error: BaseException, asked: str) -> str | None:
    if isinstance(error, socket.gaierror):
        return f"the name of {asked} is unknown"
    if isinstance(error, TimeoutError) and not error.errno:
        return f"{asked} did not answer in time"
    if not isinstance(error, OSError):
        return None
    # If a name has several addresses, the event loop joins their errors into one without a number.
    if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return f"{asked} refuses connections"
    if error.errno in _MUTE or isinstance(error, (ConnectionError, ssl.SSLError)):
        return f"{asked} closed the connection before it was there"
    return f"{asked} cannot be reached: {os.strerror(error.errno)}" if error.errno else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, its causes, and the members of its groups, outermost first."""
    yield error
    for inner in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from _causes(inner)
    following = error.__cause__ or error.__context__
    if following is not None:
        yield from _causes(following)
