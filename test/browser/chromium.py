"""The system's Chromium, driven by Playwright, which brings no browser of its own here."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
DESKTOP, PHONE = (1280, 860), (375, 800)


def find_chromium() -> str | None:
    """Find the browser that is installed here."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start the browser without a window; as root it runs only without its sandbox."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def open_page(
    browser: Browser, path: Path, size: tuple[int, int] = DESKTOP, scheme: Literal["light", "dark"] = "light"
) -> Page:
    """Open a file in a new window of a size in pixels, in a light or dark colour scheme."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page.goto(path.absolute().as_uri())
    return page
