"""When to come back: what a provider writes in its own form reaches the caller as whole seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.saas_api.conftest import Gateway
from tests.support.scripted import Peer, upstream

SAID = {
    b"Retry-After: 7": "7",
    b"Retry-After: 12.5": "13",
    b"Retry-After: 0.2": "1",
    b"Retry-After: 0": "1",
    b"Retry-After: -20": "1",
    b"Retry-After: soon": "1",
    b"Retry-After: nan": "1",
    b"Retry-After: " + b"9" * 400: "3600",
    b"Retry-After: Sunday, 06-Nov-94 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:49:00 GMT": "37",
    b"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT": "1",
    b"Retry-After: 9\r\nretry-after-ms: 2001": "3",
    b"X-Nothing: said": "1",
}


async def test_it_is_passed_on_in_whole_seconds(make_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    """A broken second is rounded up, and what means nothing is one second; on both surfaces, streamed or not."""
    headers = list(SAID)

    async def script(peer: Peer) -> None:
        while True:
            request = await peer.request()
            number = int(request.partition(b'"model":"m')[2].partition(b'"')[0])
            status = 429 if number % 2 else 503
            await peer.send(b"HTTP/1.1 %d X\r\n%b\r\nContent-Length: 2\r\n\r\n{}" % (status, headers[number]))

    async with upstream(script) as server:
        models = tmp_path / "models.toml"
        models.write_text(
            "".join(
                f'[[model_group]]\nname = "g{number}"\n[[model_group.deployment]]\nmodel = "openai/m{number}"\napi_base = "{server.url}"\n'
                for number in range(len(headers))
            )
        )
        gateway = await asyncio.to_thread(make_gateway, SAAS_API_MODELS_FILE=str(models))
        async with gateway.client() as client:
            for number, header in enumerate(headers):
                body = {"model": f"g{number}", "messages": [{"role": "user", "content": "x"}]}
                for response in (
                    await client.post("/v1/chat/completions", json=body),
                    await client.post("/v1/chat/completions", json=body | {"stream": True}),
                    await client.post("/api/jobs/create-and-call", json=gateway.call(f"g{number}")),
                ):
                    assert (429 if number % 2 else 503) == response.status_code
                    assert SAID[header] == response.headers["retry-after"], header
