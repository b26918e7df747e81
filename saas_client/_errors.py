"""Every error the client raises.

    SaaSClientError
    ├── GatewayUnreachable     nobody answered: the network's fault or the gateway's, not the request's
    │   ├── GatewayRefused     no connection could be made, so nothing was sent
    │   └── GatewayCut         the connection ended early: the gateway may have taken the request, and a stream can be resumed
    └── SaaSError              the gateway answered with an error (or a stream ended in `failed`); see `code`
        ├── InvalidRequest     400, 405, 413, 422: the request must be changed
        ├── InvalidKey         401
        ├── InsufficientCredits 402
        ├── AccessDenied       403: the team is suspended, or may not use the model
        ├── NotFound           404
        ├── Conflict           409: the job is over, or in the wrong state
        ├── StreamExpired      410: the stream can no longer be resumed
        ├── RateLimited        429: `retry_after` says when to come back
        ├── UpstreamFailed     500, 502, 504: the provider or the gateway failed in the middle of the call
        └── Unavailable        503: nobody can take the call at the moment

`retryable` says whether the same request may succeed later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hop.json import read_object
from hop.retry_after import retry_after
from wire.errors import ErrorCode, WireError


class SaaSClientError(Exception):
    """The base of all errors of this package."""

    retryable = False


class GatewayUnreachable(SaaSClientError):
    """The gateway could not be reached, or its answer did not come whole."""

    retryable = True


class GatewayRefused(GatewayUnreachable):
    """No connection to the gateway could be made: nothing was sent."""


class GatewayCut(GatewayUnreachable):
    """The connection ended before the answer did."""


class SaaSError(SaaSClientError):
    """The gateway answered with an error.

    `code` is the gateway's own word for it, and `status` its HTTP status (for a `failed` frame: the code's own). `retry_after` is in
    seconds, if the gateway gave it. `request_id` is what its operator will ask for. `repeated`: the request had to be sent a second time,
    because a kept connection was closed, and this is the answer to the second. In rare cases the gateway has taken the first.
    """

    def __init__(self, error: WireError, *, repeated: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.code = error.code.code
        self.message = error.message
        self.status = error.status
        self.retryable = error.retryable
        self.retry_after = error.retry_after
        self.request_id = error.request_id
        self.repeated = repeated


class InvalidRequest(SaaSError):
    """The request is malformed or too large; the message says where."""


class InvalidKey(SaaSError):
    """The virtual key is unknown, revoked or expired."""


class InsufficientCredits(SaaSError):
    """The team's credits do not cover the call."""


class AccessDenied(SaaSError):
    """The team is suspended or may not use the model."""


class NotFound(SaaSError):
    """There is no such thing, or it belongs to someone else."""


class Conflict(SaaSError):
    """The job or call is not in a state that allows this."""


class StreamExpired(SaaSError):
    """The stream can no longer be resumed; the answer is stored with the call."""


class RateLimited(SaaSError):
    """Too many requests; `retry_after` says when to come back."""


class UpstreamFailed(SaaSError):
    """The call failed at the provider or in the gateway after it was accepted."""


class Unavailable(SaaSError):
    """The gateway or its providers cannot take the call at the moment."""


_BY_STATUS: dict[int, type[SaaSError]] = {
    400: InvalidRequest,
    401: InvalidKey,
    402: InsufficientCredits,
    403: AccessDenied,
    404: NotFound,
    405: InvalidRequest,
    409: Conflict,
    410: StreamExpired,
    413: InvalidRequest,
    422: InvalidRequest,
    429: RateLimited,
    503: Unavailable,
}


def error_from(error: WireError, *, repeated: bool = False) -> SaaSError:
    """The exception for an error that crossed the wire."""
    return _BY_STATUS.get(error.code.status, UpstreamFailed)(error, repeated=repeated)


def error_from_response(status: int, body: bytes, headers: Mapping[str, str], *, repeated: bool = False) -> SaaSError:
    """The exception for an HTTP answer that is not a success; a body of unknown form becomes an error without details."""
    wire = WireError.from_dict(_envelope(body), status=status)
    if wire.code is ErrorCode.UPSTREAM_ERROR and status in (408, 429, 503):
        wire.retryable = True  # a proxy between us and the gateway said so, in a form of its own
    wire.retry_after = retry_after(headers)
    return error_from(wire, repeated=repeated)


def _envelope(body: bytes) -> Any:
    return (read_object(body) or {}).get("error")
