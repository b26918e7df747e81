"""The typed client of the gateway: jobs, calls, streams that can be resumed, and one tree of errors."""

from saas_client._client import TIMEOUT_WHOLE_S, SaaSLLMClient, patience_for
from saas_client._errors import (
    AccessDenied,
    Conflict,
    GatewayCut,
    GatewayRefused,
    GatewayUnreachable,
    InsufficientCredits,
    InvalidKey,
    InvalidRequest,
    NotFound,
    RateLimited,
    SaaSClientError,
    SaaSError,
    StreamExpired,
    Unavailable,
    UpstreamFailed,
)
from saas_client._stream import Stream

__all__ = [
    "TIMEOUT_WHOLE_S",
    "AccessDenied",
    "Conflict",
    "GatewayCut",
    "GatewayRefused",
    "GatewayUnreachable",
    "InsufficientCredits",
    "InvalidKey",
    "InvalidRequest",
    "NotFound",
    "RateLimited",
    "SaaSClientError",
    "SaaSError",
    "SaaSLLMClient",
    "Stream",
    "StreamExpired",
    "Unavailable",
    "UpstreamFailed",
    "patience_for",
]
