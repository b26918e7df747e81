"""The middle tier under a path prefix: every address that it gives away begins with it, however the proxy treats the prefix."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import httpx
import pytest

from tests.client_server.visitor import Visitor, turn_id
from tests.support.server import Server

ROOT = "/chat"
"""A prefix that routes of this server begin with too."""
ADDRESS = re.compile(r'\b(?:href|src|action|hx-[a-z]+|data-[a-z]+-url|content)="(/[^"]*)"')


@pytest.fixture
def middle_env() -> dict[str, str]:
    """The prefix."""
    return {"ROOT_PATH": ROOT}


@pytest.fixture(params=["", ROOT], ids=["removed", "passed on"])
async def person(request: pytest.FixtureRequest, middle: Server) -> AsyncIterator[Person]:
    """Someone behind a proxy that removes the prefix, or passes it on."""
    async with httpx.AsyncClient(timeout=20) as http:
        someone = Person(middle, http, request.param)
        await someone.load("/")
        yield someone


class Person:
    """Asks for addresses as the page has them. The proxy between is a function of the address."""

    def __init__(self, middle: Server, http: httpx.AsyncClient, passed_on: str) -> None:
        self.url = middle.url
        self.http = http
        self.token = ""
        self._passed_on = passed_on

    async def ask(
        self, address: str, method: str = "GET", *, headers: dict[str, str] | None = None, data: dict[str, str] | None = None
    ) -> httpx.Response:
        """What comes back through the proxy. The test fails if the address is not below the prefix."""
        assert address.startswith(f"{ROOT}/"), address
        url = self.url + self._passed_on + address.removeprefix(ROOT)
        ours = {"Origin": self.url, "X-CSRF-Token": self.token}
        return await self.http.request(method, url, headers=ours | (headers or {}), data=data)

    async def load(self, path: str) -> str:
        """A page."""
        response = await self.ask(ROOT + path, headers={"Accept": "text/html"})
        self.token = (re.findall(r'name="csrf-token" content="([0-9a-f]+)"', response.text) or [self.token])[0]
        return response.text

    async def say(self, headers: dict[str, str]) -> httpx.Response:
        """Sends a message."""
        form = {"message": "3 1 1", "conversation_id": "", "stream": "on"}
        return await self.ask(f"{ROOT}/chat/messages", "POST", data=form | {"csrf_token": self.token}, headers=headers)


async def test_all_addresses_of_the_pages(person: Person) -> None:
    """Of an empty page, an answer, a conversation and an error page: each begins with the prefix, and each file is there."""
    fragment = await person.say({"HX-Request": "true"})
    pages = [await person.load("/"), fragment.text, await person.load(fragment.headers["hx-push-url"].removeprefix(ROOT))]
    pages.append((await person.ask(f"{ROOT}/c/nobody", headers={"Accept": "text/html"})).text)
    found = {address for page in pages for address in ADDRESS.findall(page)}
    assert len(found) > 20
    assert [address for address in found if not address.startswith(f"{ROOT}/") and address != ROOT] == []
    files = {address for address in found if address.startswith(f"{ROOT}/static/")}
    assert {200} == {(await person.ask(address)).status_code for address in files}
    assert f'<meta name="base" content="{ROOT}">' in pages[0]


async def test_addresses_in_headers(person: Person) -> None:
    """The cookie's path, the address that the page shows, and where a form without script leads."""
    assert {cookie.path for cookie in person.http.cookies.jar} == {ROOT}
    person.http.cookies = httpx.Cookies({"session": person.http.cookies["session"]})  # at any path: this client knows no prefix
    fragment = await person.say({"HX-Request": "true"})
    assert re.fullmatch(rf"{ROOT}/c/conv_[0-9a-f]+", fragment.headers["hx-push-url"])
    sent = await person.say({})
    assert (sent.status_code, True) == (303, bool(re.fullmatch(rf"{ROOT}/c/conv_[0-9a-f]+", sent.headers["location"])))
    assert (await person.ask(sent.headers["location"])).status_code == 200
    stopped = await person.ask(f"{ROOT}/chat/turns/{turn_id(fragment.text)}/stop", "POST", data={"csrf_token": person.token})
    assert (stopped.status_code, stopped.headers["location"]) == (303, fragment.headers["hx-push-url"])


async def test_the_description_names_the_prefix(person: Person) -> None:
    """The document's server is the prefix, and the page that shows it loads the document and its own files from below it."""
    document = (await person.ask(f"{ROOT}/openapi.json")).json()
    assert document["servers"] == [{"url": ROOT}]
    assert "/api/chat" in document["paths"]
    page = (await person.ask(f"{ROOT}/docs")).text
    addresses = [urljoin(f"{ROOT}/docs", address) for address in re.findall(r'(?:src|href)="([^":]+)"', page)]
    assert len(addresses) == 5
    for address in addresses:
        assert (await person.ask(address)).status_code == 200, address


async def test_errors_of_the_api_are_json(person: Person) -> None:
    """Below `/api` of the prefix too, whatever else the client takes."""
    for address, status in ((f"{ROOT}/api/nothing", 404), (f"{ROOT}/api/chat", 405)):
        refused = await person.ask(address, headers={"Accept": "text/html"})
        assert (refused.status_code, refused.json()["error"]["request_id"]) == (status, refused.headers["x-request-id"])


@pytest.mark.parametrize("order", [1, -1])
async def test_another_program_may_have_a_cookie_of_that_name(middle: Server, order: int) -> None:
    """At the same host, with another path: the browser sends both, and the session is the one that is ours."""
    async with Visitor.at(middle.url) as visitor:
        cookies = [f"session={visitor.http.cookies['session']}", "session=eyJhIjoxfQ.aaaa.bbbb"][::order]
        response = await visitor.http.get("/", headers={"Cookie": "; ".join(cookies)})
    assert "set-cookie" not in response.headers
    assert f'content="{visitor.token}"' in response.text
