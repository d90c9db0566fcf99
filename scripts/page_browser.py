"""A page in headless Chromium, offline, as the tests of pages and `page_numbers.py` open it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")

# Nothing but the page itself is to be seen among its requests.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


def chromium() -> str | None:
    """Return the path of the Chromium that is installed, if one is."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def lacking() -> str | None:
    """Return what is needed to open a page and is not installed; None: nothing."""
    if chromium() is None:
        return "no Chromium is installed (Debian: apt-get install chromium)"
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed (pip install playwright)"
    return None


@contextmanager
def started() -> Iterator[Browser]:
    """Start the Chromium that is installed; none is fetched."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS])
        try:
            yield browser
        finally:
            browser.close()


class Opened:
    """A page in a context of its own, with all that it asked for and complained of.

    Attributes:
        page: of Playwright.
        requests: addresses that the page asked for.
        complaints: what stands in the console, and errors.
    """

    def __init__(self, browser: Browser, **context: Any) -> None:
        self.context: BrowserContext = browser.new_context(
            offline=True, reduced_motion="reduce", **context
        )
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def goto(self, file: Path, fragment: str = "") -> Opened:
        """Open a file, from the disk."""
        self.page.goto(file.resolve().as_uri() + (f"#{fragment}" if fragment else ""))
        return self

    def ask(self, what: str, *given: object) -> Any:
        """Call a function that the page offers to tests."""
        return self.page.evaluate(
            "([what, given]) => window.fastweights[what](...given)", [what, list(given)]
        )

    def ask_each(self, what: str, texts: list[str], *given: object) -> Any:
        """Call it with each of many texts."""
        return self.page.evaluate(
            "([what, texts, given]) => texts.map((text) => window.fastweights[what](text, ...given))",
            [what, texts, list(given)],
        )
