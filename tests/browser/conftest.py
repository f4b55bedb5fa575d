"""A real Chromium against the running application.

What a script, a swap, another page or another thread changes is waited for, by `expect` and `wait_for_…`; it is never
looked at once. What `expect` has no word for is waited for by `until`.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from werkzeug.serving import make_server

from tests.conftest import make_app, settings_for

PATIENCE = 60_000  # milliseconds; a busy machine is no fault
expect.set_options(timeout=PATIENCE)
# htmx marks what it has wired, what it fetches and what it has just put into the page.
AT_REST = """() => !document.querySelector(
        "[data-htmx-powered].htmx-request, .htmx-swapping, .htmx-settling, .htmx-added") && !(
    window.htmx && document.querySelector("[hx-get]:not([data-htmx-powered]), [hx-post]:not([data-htmx-powered])"))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for each module: while Playwright runs its loop, nothing else on this thread can call `asyncio.run`."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def live(browser: Browser, sqlite_url: str, tmp_path: Path, valkey: str) -> Iterator[tuple[Flask, str]]:
    """The application on a port of its own, and its address. Its pages are closed before it is: they would ask on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        base = f"http://127.0.0.1:{port}"
        app = make_app(
            settings_for(tmp_path, DATABASE_URL=sqlite_url, REDIS_URL=valkey, BASE_URL=base, OUTBOX_DIR=str(tmp_path))
        )
        server = make_server("127.0.0.1", port, app, threaded=True, fd=listening.fileno())
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield app, base
        for context in browser.contexts:
            context.close()
        server.shutdown()
        thread.join()
        server.server_close()


class Watched:
    """A page whose console, requests and accessibility are watched."""

    def __init__(self, page: Page, base: str) -> None:
        self.page, self.base = page, base
        self.faults: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, message: object) -> None:
        kind, text = message.type, message.text  # type: ignore[attr-defined]
        # A 422 is the answer to a form with something missing, no fault of the page.
        if kind in {"error", "warning"} and "status of 422" not in text:
            self.faults.append(text)

    def _request(self, url: str) -> None:
        if not url.startswith((self.base, "data:", "blob:")):
            self.faults.append(f"off origin: {url}")

    def check(self) -> None:
        assert self.findings() == []

    def findings(self, *rules: str) -> list[str]:
        """What the console said, what went off origin, what axe finds by all or these of its rules, whether it
        scrolls sideways."""
        at_rest(self.page)
        found, self.faults = self.faults, []
        options: dict[str, object] = {"resultTypes": ["violations"], **({"runOnly": [*rules]} if rules else {})}
        for one in Axe().run(self.page, options=options).response["violations"]:
            found.append(f"{one['id']}: {[node['target'] for node in one['nodes']][:3]}")
        width, window = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        if width > window:
            found.append(f"scrolls sideways: {width} in {window}")
        self.faults.clear()  # what axe itself did
        return found


def open_page(browser: Browser, base: str, *, phone: bool = True, scripts: bool = True, dark: bool = False) -> Watched:
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 800}
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        locale="ro-RO",
        java_script_enabled=scripts,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    return Watched(context.new_page(), base)


def until(page: Page, holds: str, arg: object = None) -> None:
    """Until this script says yes. Playwright's `wait_for_function` evaluates its text once more in the page for every
    further look, which the pages' policy refuses: it works where the first look is enough, and fails where it is not.
    """
    latest = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(holds, arg):
        assert time.monotonic() < latest, f"never: {holds} ({arg})"
        page.wait_for_timeout(50)


def at_rest(page: Page) -> None:
    """Until the page is loaded, its scripts have begun, and nothing is being swapped in."""
    page.wait_for_load_state()
    until(page, AT_REST)


def arrived(page: Page, landmark: Locator) -> None:
    """Until the page that this stands on is there, with its scripts."""
    expect(landmark).to_be_visible()
    at_rest(page)
