"""A headless browser to open pages with, where one is installed."""

import os
import shutil

import pytest

# No word to anybody outside; the sandbox needs rights that containers do not give.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven by playwright; tests that need it skip where either is missing."""
    api = pytest.importorskip("playwright.sync_api", reason='no playwright: pip install "intergreen[browser]"')
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on PATH: apt-get install chromium")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    """Opens a file; at the end of the test nothing may have gone wrong on it, and nothing been asked for elsewhere."""
    pages, wrong = [], []

    def open_(path, **options):
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 800}, **options})
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith("file:") else None)
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_
    for page in pages:
        page.close()
    assert wrong == []
