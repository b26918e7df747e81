"""Every error that may cross a hop: its code, its HTTP status, and whether a retry makes sense.

    WireError                       the error that a server answers with or writes into a `failed` frame
      .code: ErrorCode              who is at fault and why, one word
      .message                      one sentence for a person; never a secret, a stack trace or a provider's body
      .retryable                    the same request may succeed later

The table of codes exists only here. Servers map their own exceptions to it, and clients map it back.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any


class ErrorCode(Enum):
    """A code with its HTTP status, its OpenAI-style error type, and whether a retry makes sense."""

    INVALID_REQUEST = ("invalid_request", 400, "invalid_request_error", False)
    INVALID_KEY = ("invalid_key", 401, "authentication_error", False)
    INSUFFICIENT_CREDITS = ("insufficient_credits", 402, "insufficient_quota", False)
    TEAM_SUSPENDED = ("team_suspended", 403, "permission_error", False)
    MODEL_NOT_ALLOWED = ("model_not_allowed", 403, "permission_error", False)
    CSRF = ("csrf", 403, "permission_error", False)
    NOT_FOUND = ("not_found", 404, "not_found_error", False)
    METHOD_NOT_ALLOWED = ("method_not_allowed", 405, "invalid_request_error", False)
    JOB_FINISHED = ("job_finished", 409, "conflict_error", False)
    JOB_STATE = ("job_state", 409, "conflict_error", False)
    STREAM_EXPIRED = ("stream_expired", 410, "not_found_error", False)
    TOO_LARGE = ("too_large", 413, "invalid_request_error", False)
    RATE_LIMITED = ("rate_limited", 429, "rate_limit_error", True)
    INTERNAL_ERROR = ("internal_error", 500, "api_error", True)
    UPSTREAM_ERROR = ("upstream_error", 502, "api_error", True)
    UPSTREAM_TRUNCATED = ("upstream_truncated", 502, "api_error", True)
    UPSTREAM_PROTOCOL = ("upstream_protocol", 502, "api_error", True)
    INTERRUPTED = ("interrupted", 502, "api_error", True)
    UPSTREAM_UNAVAILABLE = ("upstream_unavailable", 503, "api_error", True)
    SHUTTING_DOWN = ("shutting_down", 503, "api_error", True)
    UPSTREAM_TIMEOUT = ("upstream_timeout", 504, "api_error", True)

    def __init__(self, code: str, status: int, error_type: str, retryable: bool) -> None:
        self.code = code
        self.status = status
        self.error_type = error_type
        self.retryable = retryable

    @classmethod
    def named(cls, code: str) -> ErrorCode:
        """The member for a code from the wire. An unknown code, from a newer peer, becomes UPSTREAM_ERROR."""
        return _BY_CODE.get(code, cls.UPSTREAM_ERROR)


_BY_CODE = {member.code: member for member in ErrorCode}


class WireError(Exception):
    """An error as it crosses a hop.

    `status` differs from the code's own only if the specification allows two (400 and 422 for `invalid_request`).
    `retry_after` is in seconds and becomes the `Retry-After` header.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        status: int | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        hop: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = code.status if status is None else status
        self.retryable = code.retryable if retryable is None else retryable
        self.retry_after = retry_after
        self.request_id = request_id
        self.hop = hop

    def to_dict(self) -> dict[str, Any]:
        """The value of `error` in a response body or a `failed` frame."""
        error: dict[str, Any] = {
            "type": self.code.error_type,
            "code": self.code.code,
            "message": self.message,
            "retryable": self.retryable,
            "request_id": self.request_id,
        }
        if self.hop is not None:
            error["hop"] = self.hop
        return error

    def to_body(self) -> bytes:
        """The JSON body of an error response, also the data of a `failed` frame. It is ASCII, since a message may hold a lone surrogate."""
        return json.dumps({"error": self.to_dict()}, separators=(",", ":")).encode()

    @classmethod
    def from_dict(cls, error: Any, *, status: int | None = None) -> WireError:
        """Reads the output of `to_dict`. Any other input becomes an UPSTREAM_ERROR without details; it never raises."""
        if not isinstance(error, dict) or not isinstance(error.get("code"), str):
            return cls(ErrorCode.UPSTREAM_ERROR, "The server answered with an error of unknown form.", status=status)
        return cls(
            ErrorCode.named(error["code"]),
            str(error.get("message") or error["code"]),
            status=status,
            retryable=bool(error.get("retryable")),
            request_id=error.get("request_id"),
            hop=error.get("hop"),
        )
