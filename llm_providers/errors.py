"""What can go wrong with a provider, by whose fault and whether another try makes sense.

    ProviderError
    ├── InvalidRequest        the provider refused the request itself (400, 413, 422)
    ├── Unauthorized          our credentials are wrong, or do not allow it (401, 403)
    ├── ModelNotFound         the provider does not know the model (404)
    ├── OutOfQuota            the gateway's account there is used up (402, or the provider says so)
    ├── Refused               any other status below 500
    ├── RateLimited           too many requests (429); `retry_after` says when to come back
    ├── ProviderUnavailable   refused, unreachable, or gone before it answered; 503, 529
    ├── ProviderTimeout       no first byte, or silence in mid-answer
    ├── ProviderFault         any other 5xx, or an error told in an answer, whatever its code
    ├── Truncated             the body ended without a finish
    └── ProtocolViolation     what came is not the dialect: not HTTP, not JSON, over a limit

Each error answers two questions. `again`: may the same request succeed at this deployment later? `elsewhere`: may it succeed at another
one? A refused key is the deployment's fault, so asking again is no use, but asking elsewhere is. A request that the provider calls invalid
is invalid everywhere, unless what it says is about a key, a model or an account (`llm_providers.complaints`). Messages are ours. A
provider's own words never reach a reader: they are in `reason`, for the operator's log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from llm_providers.complaints import About, coded, phrased
from llm_providers.reasons import words
from wire.errors import ErrorCode, WireError


class ProviderError(Exception):
    """Base of the tree. `retry_after` is in seconds, if the provider gave it.

    `reason` says more, to the operator alone: the provider's own words, or why there is no connection. A dialect writes it as it came;
    `Transport` raises it fit for a log (`llm_providers.reasons.scrubbed`). `status` is that of the refusal, if it was one.
    """

    code: ClassVar[ErrorCode] = ErrorCode.UPSTREAM_ERROR
    again: bool = True
    elsewhere: ClassVar[bool] = True

    def __init__(self, message: str, *, retry_after: float | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.reason = reason
        self.status: int | None = None

    def to_wire(self) -> WireError:
        """The error as the gateway tells it to its clients."""
        return WireError(self.code, str(self), retryable=self.again, retry_after=self.retry_after)


class InvalidRequest(ProviderError):
    """The provider refused the request as malformed."""

    code = ErrorCode.INVALID_REQUEST
    again = False
    elsewhere = False


class Unauthorized(ProviderError):
    """The provider did not accept our credentials."""

    again = False


class ModelNotFound(ProviderError):
    """The provider does not serve this model."""

    again = False


class OutOfQuota(ProviderError):
    """Somebody has to pay before the provider answers again. It often has the status of a rate limit, but waiting does not mend it."""

    again = False


class Refused(ProviderError):
    """The provider refused in a way that this deployment will meet each time: a redirect, a method it does not know."""

    again = False


class RateLimited(ProviderError):
    """The provider takes no more requests for now."""

    code = ErrorCode.RATE_LIMITED


class ProviderUnavailable(ProviderError):
    """The provider cannot be reached or serves nobody at the moment."""

    code = ErrorCode.UPSTREAM_UNAVAILABLE


class ProviderTimeout(ProviderError):
    """The provider kept silent for longer than the deployment allows."""

    code = ErrorCode.UPSTREAM_TIMEOUT


class ProviderFault(ProviderError):
    """The provider reported a fault, its own or, within an answer, any other: then `again` says whether it may pass."""

    def __init__(self, message: str, *, again: bool = True, retry_after: float | None = None, reason: str = "") -> None:
        super().__init__(message, retry_after=retry_after, reason=reason)
        self.again = again


class Truncated(ProviderError):
    """The answer ended before it was finished."""

    code = ErrorCode.UPSTREAM_TRUNCATED


class ProtocolViolation(ProviderError):
    """The answer is not what the dialect allows."""

    code = ErrorCode.UPSTREAM_PROTOCOL


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer with a status beyond 2xx: what its head and the beginning of its body say."""

    status: int
    retry_after: float | None
    """Seconds, if the provider said so."""
    error: Mapping[str, Any]
    """The provider's error object; empty if it sent none."""
    reason: str
    """The provider's own words, as they came."""


def for_status(status: int, retry_after: float | None) -> ProviderError:
    """The error that an HTTP status beyond 2xx stands for. `retry_after` is in seconds, if the provider gave it."""
    if status in _INVALID:
        return InvalidRequest(f"The model provider refused the request as invalid (status {status}).")
    if status in (401, 403):
        return _unauthorized(status)
    if status == 404:
        return _model_not_found(status)
    if status == 429:
        return RateLimited("The model provider limits the rate of requests (status 429).", retry_after=retry_after or 1.0)
    if status in (408, 504):
        return ProviderTimeout(f"The model provider timed out (status {status}).", retry_after=retry_after)
    if status in (503, 529):
        return ProviderUnavailable(f"The model provider is unavailable (status {status}).", retry_after=retry_after or 1.0)
    if status < 500 and status not in (409, 425):
        return Refused(f"The model provider refused the request (status {status}).")
    return ProviderFault(f"The model provider failed (status {status}).", retry_after=retry_after)


def without_content(status: int) -> ProtocolViolation:
    """A success, but nothing with it."""
    return ProtocolViolation(f"The model provider's answer is empty (status {status}).")


def for_refusal(refusal: Refusal) -> ProviderError:
    """The error that a refusal stands for.

    What the provider says about money comes before its status. What it says about its key or its model does where the status blames the
    request.
    """
    status = refusal.status
    about = coded(refusal.error)
    if about in _UNSPECIFIC and status in _INVALID and refusal.error.get("param") in (None, "", "model"):
        about = phrased(refusal.error or refusal.reason)
    if status == 402 or about is About.MONEY:
        return OutOfQuota(f"The gateway's account with the model provider is used up (status {status}).")
    if status in _INVALID and about is About.KEY:
        return _unauthorized(status)
    if status in _INVALID and about is About.MODEL:
        return _model_not_found(status)
    return for_status(status, refusal.retry_after)


def reported(error: Any) -> ProviderError:
    """The error for an error object where an answer, or the rest of one, should be.

    It may be tried again unless the same object with a status would have said otherwise.
    """
    about = coded(error)
    if about is About.MONEY:
        return OutOfQuota("The gateway's account with the model provider is used up.", reason=words(error))
    final = about in (About.KEY, About.MODEL, About.REQUEST) or (about is None and phrased(error) is not None)
    return ProviderFault("The model provider reported an error in its answer.", again=not final, reason=words(error))


_INVALID = (400, 413, 422)
"""The statuses that blame the request."""
_UNSPECIFIC = (None, About.REQUEST)


def _unauthorized(status: int) -> Unauthorized:
    return Unauthorized(f"The model provider did not accept the gateway's credentials (status {status}).")


def _model_not_found(status: int) -> ModelNotFound:
    return ModelNotFound(f"The model provider does not serve this model (status {status}).")


def not_json() -> ProtocolViolation:
    """What a provider sent cannot be read."""
    return ProtocolViolation("The model provider sent something that is not JSON.")
