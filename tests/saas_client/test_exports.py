"""What the package offers, and nothing else."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import saas_client
from saas_client import SaaSClientError, SaaSLLMClient


def test_everything_public_is_exported() -> None:
    """`__all__` holds exactly the public names of the package, each once."""
    public = {name for name, value in vars(saas_client).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert sorted(saas_client.__all__) == sorted(public)


def test_the_package_says_that_it_is_typed() -> None:
    """Type checkers of its users find `py.typed`."""
    assert (Path(saas_client.__file__).parent / "py.typed").is_file()


def test_the_tree_of_errors_is_drawn_whole() -> None:
    """Every error class has one root and stands in the drawing."""
    drawing = (saas_client._errors.__doc__ or "").split("`retryable`")[0]
    errors = [value for value in vars(saas_client).values() if inspect.isclass(value) and issubclass(value, Exception)]
    assert len(errors) > 10
    for error in errors:
        assert issubclass(error, SaaSClientError)
        assert error.__name__ in drawing


async def test_a_client_that_is_not_open_says_so() -> None:
    """Forgetting `async with` is a clear error."""
    with pytest.raises(SaaSClientError, match="context manager"):
        await SaaSLLMClient("http://127.0.0.1:1", "sk-x", "team").chat([{"role": "user", "content": "x"}])
