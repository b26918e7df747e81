"""/docs: a page that describes every route, and needs nothing but the server that it describes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.support.chain import Chain
from tests.support.server import Server
from tests.web.conftest import ARGUMENTS

HEADERS = {"saas_api": ("/create-and-call-stream", "Idempotency-Key"), "client_server": ("/events", "Last-Event-ID")}
"""A route of each server that has such a page, and a header that it takes."""


@pytest.fixture(params=HEADERS)
def server(request: pytest.FixtureRequest, chain: Chain) -> Server:
    """Each of them."""
    found: Server = getattr(chain, request.param)
    return found


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """Asks it."""
    async with httpx.AsyncClient(base_url=server.url) as asking:
        yield asking


@pytest.fixture
async def page(chromium: str) -> AsyncIterator[Page]:
    """A tab that reaches this machine and no other; the test fails if anything there asks for another, breaks the policy, or throws."""
    complaints: list[str] = []
    async with async_playwright() as playwright:
        cut_off = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        browser = await playwright.chromium.launch(executable_path=chromium, args=[*ARGUMENTS, cut_off])
        tab = await browser.new_page()
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        tab.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        yield tab
        await browser.close()
    assert complaints == []


@pytest.mark.browser
async def test_it_shows_every_operation_without_a_network(page: Page, server: Server, client: httpx.AsyncClient) -> None:
    """Each one of the document, with its form; trying one out asks the server; nothing is asked of anyone else."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    document = (await client.get("/openapi.json")).json()
    await page.goto(f"{server.url}/docs")
    await expect(page.locator(".opblock")).to_have_count(sum(len(path) for path in document["paths"].values()))
    await expect(page.get_by_role("button", name="Authorize")).to_have_count(1 if "securitySchemes" in document["components"] else 0)
    health = page.locator(".opblock", has=page.locator('[data-path="/health"]'))
    await health.locator(".opblock-summary-control").click()
    await health.get_by_role("button", name="Try it out").click()
    await health.get_by_role("button", name="Execute").click()
    await expect(health.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    route, header = HEADERS[server.module]
    await page.locator(".opblock-summary-control", has_text=route).click()
    await expect(page.locator(".opblock.is-open", has_text=header)).to_have_count(1)
    assert all(url.startswith((f"{server.url}/", "data:")) for url in asked)


async def test_the_page_carries_a_strict_policy(client: httpx.AsyncClient) -> None:
    """Nothing of another origin's, nothing inline, no frame around it; and its files are there."""
    response = await client.get("/docs")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"unsafe|http|\*", policy)
    assert not re.search(r"<script>|<style|\bstyle=|\bon\w+=|https?:", response.text)
    for address in re.findall(r'(?:src|href)="([^":]+)"', response.text):
        assert (await client.get(f"/{address}")).status_code == 200, address


async def test_there_is_one_such_page(client: httpx.AsyncClient) -> None:
    """The framework's other ones would load their parts from a network."""
    assert [404, 404] == [(await client.get(path)).status_code for path in ("/redoc", "/docs/oauth2-redirect")]
