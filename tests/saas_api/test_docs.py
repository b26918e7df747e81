"""/docs: a page that describes every route, and needs nothing but the gateway."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect

from saas_api.routes.docs import STATIC
from tests.saas_api.conftest import Gateway
from tests.web.conftest import ARGUMENTS

VENDOR = STATIC / "vendor"
ENTRIES: list[dict[str, Any]] = json.loads((VENDOR / "VENDORED.json").read_text())


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
async def test_it_shows_every_operation_without_a_network(page: Page, gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Each one of the document, with its form; trying one out asks the gateway; nothing is asked of anyone else."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    document = (await client.get("/openapi.json")).json()
    await page.goto(f"{gateway.url}/docs")
    await expect(page.locator(".opblock")).to_have_count(sum(len(path) for path in document["paths"].values()))
    await expect(page.get_by_role("button", name="Authorize")).to_be_visible()
    health = page.locator(".opblock", has=page.locator('[data-path="/health"]'))
    await health.locator(".opblock-summary-control").click()
    await health.get_by_role("button", name="Try it out").click()
    await health.get_by_role("button", name="Execute").click()
    await expect(health.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    await page.locator(".opblock-summary-control", has_text="/create-and-call-stream").click()
    await expect(page.locator(".opblock.is-open", has_text="Idempotency-Key")).to_have_count(1)
    assert all(url.startswith((f"{gateway.url}/", "data:")) for url in asked)


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


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["file"] for entry in ENTRIES])
def test_what_is_vendored_is_what_is_written_down(entry: dict[str, Any]) -> None:
    """Nobody has edited it, and it lies beside its licence and the notices that go with it."""
    assert entry["sha256"] == hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest()
    assert all((VENDOR / entry[key]).read_text().strip() for key in ("licence_file", "notice_file"))


def test_nothing_else_is_vendored() -> None:
    """A file without an entry would have neither a version nor a licence; and the script says its own version."""
    listed = {"VENDORED.json"} | {entry[key] for entry in ENTRIES for key in ("file", "licence_file", "notice_file")}
    assert listed == {path.name for path in VENDOR.iterdir()}
    assert f'"{ENTRIES[0]["version"]}"' in (VENDOR / "swagger-ui-bundle.js").read_text()
