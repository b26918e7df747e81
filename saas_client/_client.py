"""The client: one method per thing the gateway does, over one pool of connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import httpx2

from hop.door import Door
from hop.json import read_whole
from hop.pieces import write_in_pieces
from hop.requests import base_address, below, header_value
from hop.response import ConnectFailed, ExchangeFailed, Response
from saas_client import _requests as requests
from saas_client._answers import as_answer
from saas_client._errors import GatewayCut, GatewayRefused, SaaSClientError, error_from_response
from saas_client._requests import Job, Messages, Patience, Request
from saas_client._stream import Stream
from wire.context import outgoing_headers

KEEPALIVE_S = 30.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
PATIENCE_S = 30.0
TIMEOUT_WHOLE_S = 600.0
"""What a gateway usually gives a deployment for a whole answer."""
_DEPLOYMENTS = 6
"""So many of a group may all be asked, one after the other."""
_MARGIN_S = 30.0
DEFAULT_MODEL_GROUP = "chat-fast"


def patience_for(timeout_whole_s: float = TIMEOUT_WHOLE_S) -> float:
    """How long, in seconds, to wait for a whole answer of a gateway that gives each deployment `timeout_whole_s`.

    It is longer than the gateway takes, even if it asks six deployments one after the other, so that the gateway's own error arrives. But a
    gateway that has vanished without a word is not waited for forever.
    """
    return _DEPLOYMENTS * timeout_whole_s + _MARGIN_S


class SaaSLLMClient:
    """A team's access to the gateway. Use it as an async context manager.

    A stream has no timeout, since an answer takes as long as it takes: bound it with `asyncio.timeout` if you need to. For other requests,
    a gateway that is silent for 30 s counts as cut, or for `answer_patience_s` if it writes a whole answer: an hour unless it is given. Let
    it be longer than the gateway's own limit, as `patience_for` says. Cancelling a call's task closes its connection at once. Every method
    raises the errors that `saas_client` draws in its tree.

    A gateway on another machine is asked through the proxy that the environment names (HTTPS_PROXY, NO_PROXY …). With `http_client`,
    everything goes through that client, with its proxies, certificates and HTTP/2. You close it yourself.

    A query in `api_url` stays behind the paths below it. An address or a key that cannot be in a request raises ValueError here.
    """

    def __init__(
        self,
        api_url: str,
        virtual_key: str,
        team_id: str,
        *,
        answer_patience_s: float | None = None,
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        self.api_url = base_address(api_url)
        self.team_id = team_id
        self._headers = {
            "Authorization": f"Bearer {header_value(virtual_key)}",
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
        }
        self._answer_patience_s = patience_for() if answer_patience_s is None else answer_patience_s
        self._http_client = http_client
        self._client: Door | None = None

    async def __aenter__(self) -> Self:
        self._client = Door(keep_alive_s=KEEPALIVE_S, http_client=self._http_client)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def create_job(self, job_type: str, *, user_id: str | None = None, metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Opens a job: `job_id`, `status`, `created_at`."""
        return await self._json(requests.create_job(Job(self.team_id, job_type, user_id, metadata)))

    async def complete_job(
        self,
        job_id: str,
        status: str = "completed",
        *,
        metadata: Mapping[str, Any] | None = None,
        error_message: str | None = None,
    ) -> dict[str, Any]:
        """Ends a job as `completed` or `failed`; the answer holds its costs."""
        return await self._json(requests.complete_job(job_id, status, metadata, error_message))

    async def get_job(self, job_id: str) -> dict[str, Any]:
        """The job's record; under `calls` each call's `status`, `usage`, `cost_usd`, and its answer as `message`."""
        return await self._json(requests.get_job(job_id))

    async def chat(
        self,
        /,
        messages: Messages,
        *,
        model_group: str = DEFAULT_MODEL_GROUP,
        job_type: str = "chat",
        user_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **params: Any,
    ) -> dict[str, Any]:
        """One call's whole life in one request: OpenAI's `chat.completion`, with the receipt and the hop timings under `saas`.

        `params` are OpenAI's own (`temperature`, `max_tokens`, `tools` …), passed on as they are.
        """
        job = Job(self.team_id, job_type, user_id, metadata)
        return await self._json(requests.chat(job, model_group, messages, params, idempotency_key, streamed=False))

    @asynccontextmanager
    async def chat_stream(
        self,
        /,
        messages: Messages,
        *,
        model_group: str = DEFAULT_MODEL_GROUP,
        job_type: str = "chat",
        user_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **params: Any,
    ) -> AsyncIterator[Stream]:
        """The same as a stream. With the same `idempotency_key` a second request follows the first one's call from its start."""
        job = Job(self.team_id, job_type, user_id, metadata)
        async with self._sent(requests.chat(job, model_group, messages, params, idempotency_key, streamed=True)) as response:
            del messages, params
            yield Stream(response)

    @asynccontextmanager
    async def resume_stream(self, job_id: str, call_id: str, last_event_id: int | None = None) -> AsyncIterator[Stream]:
        """The frames of a call after the one with this id, or all of them, including those still to come."""
        async with self._sent(requests.resume_stream(job_id, call_id, last_event_id)) as response:
            stream = Stream(response)
            stream.job_id, stream.call_id = job_id, call_id
            yield stream

    async def cancel(self, job_id: str, call_id: str) -> dict[str, Any]:
        """Stops the provider now and settles what was generated: `job_id`, `call_id`, `status`."""
        return await self._json(requests.cancel(job_id, call_id))

    async def model_groups(self) -> list[str]:
        """The names of the model groups that the team may use."""
        answer = await self._json(requests.models())
        return [model["id"] for model in answer.get("data", ())]

    async def _json(self, request: Request) -> dict[str, Any]:
        async with self._sent(request) as response:
            body = await _whole(response)
        try:
            return as_answer(await read_whole(body))
        except ValueError:
            raise GatewayCut("the answer is not JSON") from None

    @asynccontextmanager
    async def _sent(self, request: Request) -> AsyncIterator[Response]:
        """A successful response. Leaving it before its end closes the connection; after its end the connection is used again."""
        client = self._client
        if client is None:
            raise SaaSClientError("the client is not open: use it as an async context manager")
        headers = {**self._headers, **outgoing_headers(), **request.headers}
        url = below(self.api_url, request.path)
        patience_s = {Patience.SHORT: PATIENCE_S, Patience.LONG: self._answer_patience_s}.get(request.patience)
        method = request.method
        body = b"" if request.content is None else await write_in_pieces(request.content)
        try:
            response = await client.request(method, url, headers, body, patience_s=patience_s)
        except ConnectFailed as error:
            raise GatewayRefused(f"the gateway cannot be reached: {error}") from error
        except ExchangeFailed as error:
            raise GatewayCut(f"the gateway did not answer: {type(error).__name__}") from error
        finally:
            del request, body  # a stream may take long, and its request may be long
        try:
            if response.status >= 300:
                raise error_from_response(response.status, await _whole(response), response.headers, repeated=response.repeated)
            yield response
        finally:
            response.close()


async def _whole(response: Response) -> bytes:
    response.limit_silence(PATIENCE_S, PATIENCE_S)
    try:
        return await response.read_all(MAX_ANSWER_BYTES)
    except ExchangeFailed as error:
        raise GatewayCut(f"the answer was cut: {type(error).__name__}") from error
