"""What Schemathesis makes of an OpenAPI document, asked of the server that gave it.

No request leads to a fault, or to an answer that the document does not name. They are the same requests each time; with
`SCHEMATHESIS_EXAMPLES` so many of each operation, and others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "0"))
FEW = 12
TIMEOUT_S = 30.0

Amend = Callable[[Any, int], None]
"""Puts into a `schemathesis.Case` what no machine can guess, such as the name of a thing that is there. The number is the request's."""


def _body_as_described(context: Any, response: Any, case: Any) -> bool | None:
    """Holds a body against its schema. That of an event stream describes its text, and Schemathesis would hold each event against it."""
    if response.headers.get("content-type", [""])[0].startswith("text/event-stream"):
        return None
    return response_schema_conformance(context, response, case)


_CHECKS: Any = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    _body_as_described,
]


def operations(url: str) -> dict[str, Any]:
    """The operations of the server's document, by method and path."""
    schema: Any = schemathesis.openapi.from_url(f"{url}/openapi.json")
    found = (result.ok() for result in schema.get_all_operations())
    return {f"{operation.method.upper()} {operation.path}": operation for operation in found}


def conforms(operation: Any, url: str, headers: Mapping[str, str], amend: Amend) -> None:
    """Asks it what is as the document has it, and what is not; each answer must be one that the document names."""
    with requests.Session() as session:
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            number = 0

            def ask(case: Any) -> None:
                nonlocal number
                number += 1
                amend(case, number)
                case.call_and_validate(base_url=url, session=session, headers=dict(headers), checks=_CHECKS, timeout=TIMEOUT_S)

            try:
                cases = operation.as_strategy(generation_mode=mode)
                hypothesis.given(case=cases)(_settings()(ask))()
            except hypothesis.errors.Unsatisfiable:
                assert mode is schemathesis.GenerationMode.NEGATIVE  # what takes anything cannot be asked wrongly


def _settings() -> settings:
    return settings(
        max_examples=EXAMPLES or FEW,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
