"""Talking to models: one target in, clean frames or a whole completion out, one tree of errors."""

from llm_providers.errors import (
    InvalidRequest,
    ModelNotFound,
    ProtocolViolation,
    ProviderError,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    Truncated,
    Unauthorized,
)
from llm_providers.openai import CompletionStream, complete, open_stream
from llm_providers.prices import Price
from llm_providers.registry import PROVIDERS, Target, split_model
from llm_providers.transport import Transport

__all__ = [
    "PROVIDERS",
    "CompletionStream",
    "InvalidRequest",
    "ModelNotFound",
    "Price",
    "ProtocolViolation",
    "ProviderError",
    "ProviderFault",
    "ProviderTimeout",
    "ProviderUnavailable",
    "RateLimited",
    "Target",
    "Transport",
    "Truncated",
    "Unauthorized",
    "complete",
    "open_stream",
    "split_model",
]
