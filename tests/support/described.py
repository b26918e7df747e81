"""A server's OpenAPI document, held against what the server really answers."""

from __future__ import annotations

from typing import Any, Self

import httpx

from tests.support.schemas import faults

Operation = tuple[str, str]


class Described:
    """A client that holds each answer against the document."""

    def __init__(self, client: httpx.AsyncClient, document: dict[str, Any]) -> None:
        self.client = client
        self.document = document
        self.operations: dict[Operation, dict[str, Any]] = {
            (method.upper(), path): operation for path, methods in document["paths"].items() for method, operation in methods.items()
        }
        self.answered: set[tuple[str, str, int]] = set()

    @classmethod
    async def of(cls, client: httpx.AsyncClient) -> Self:
        """The server behind this client, with its document at hand."""
        return cls(client, (await client.get("/openapi.json")).json())

    async def ask(self, method: str, path: str, body: Any = None, *, status: int = 200, headers: Any = None, **ids: str) -> httpx.Response:
        """The answer, which has this status and is as the document has it."""
        content = body if isinstance(body, bytes) else None
        response = await self.client.request(
            method, path.format(**ids), json=None if content else body, content=content, headers={"X-Request-Id": "r", **(headers or {})}
        )
        assert response.status_code == status, response.text
        documented = self.operations[method, path]["responses"][str(status)]
        if response.content or "content" in documented:
            media_type = response.headers["content-type"].partition(";")[0]
            schema = documented["content"][media_type]["schema"]
            assert [] == faults(response.json() if media_type == "application/json" else response.text, schema, self.document)
        assert {name for name in documented["headers"] if name not in response.headers} <= {"Retry-After", "Set-Cookie"}
        if status >= 400:
            code = response.json()["error"]["code"] if response.headers["content-type"] == "application/json" else _shown(response.text)
            assert f"`{code}`" in documented["description"]
        self.answered.add((method, path, status))
        return response

    def named(self, name: str, value: Any) -> list[str]:
        """What is wrong with a value that should be as this schema of the document has it."""
        return faults(value, {"$ref": f"#/components/schemas/{name}"}, self.document)


def check_form(document: dict[str, Any]) -> None:
    """Each operation has a summary, a description and an answer, and each failure is the envelope."""
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["description"]
            assert operation["summary"]
            assert any(status.startswith("2") for status in operation["responses"])
            for status, response in operation["responses"].items():
                assert response["description"]
                assert "X-Request-Id" in response["headers"]
                assert all(media["schema"] for media in response.get("content", {}).values())
                if int(status) >= 400:
                    assert response["content"]["application/json"] == {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}
                    assert set(response["content"]) <= {"application/json", "text/html"}


def _shown(page: str) -> str:
    """The code that an error's page shows."""
    return page.rpartition("Status ")[2].split(" · ")[1]
