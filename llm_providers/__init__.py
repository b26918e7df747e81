"""Talking to models: one target in, OpenAI's frames or a whole completion out, one tree of errors."""

from llm_providers.dialect import Dialect, FrameReader, Request
from llm_providers.errors import (
    InvalidRequest,
    ModelNotFound,
    OutOfQuota,
    ProtocolViolation,
    ProviderError,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    Refused,
    Truncated,
    Unauthorized,
)
from llm_providers.openai import OpenAI
from llm_providers.prices import Price
from llm_providers.registry import PROVIDERS, TIMEOUT_FIRST_TOKEN_S, TIMEOUT_IDLE_S, TIMEOUT_WHOLE_S, Provider, Target, split_model
from llm_providers.transport import Transport

__all__ = [
    "PROVIDERS",
    "TIMEOUT_FIRST_TOKEN_S",
    "TIMEOUT_IDLE_S",
    "TIMEOUT_WHOLE_S",
    "Dialect",
    "FrameReader",
    "InvalidRequest",
    "ModelNotFound",
    "OpenAI",
    "OutOfQuota",
    "Price",
    "ProtocolViolation",
    "Provider",
    "ProviderError",
    "ProviderFault",
    "ProviderTimeout",
    "ProviderUnavailable",
    "RateLimited",
    "Refused",
    "Request",
    "Target",
    "Transport",
    "Truncated",
    "Unauthorized",
    "split_model",
]
