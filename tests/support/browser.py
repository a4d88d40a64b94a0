"""A whole simulated city and the system's Chromium for the browser tests; nothing may leave the host."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Request, expect

from citynet.supervisor import City

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "situation_center" / "web" / "node_modules" / "axe-core" / "axe.min.js"
# CITYNET_DOC_IMAGES=1 renews the pictures of the documentation; else they are only looked at after a failure.
IMAGES = ROOT / ("docs/images" if os.environ.get("CITYNET_DOC_IMAGES") else "tests/browser/output")
# Software WebGL, and a browser that asks nobody else for anything.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
]
CITY_SPEED = 10
# Half past three in the city, always the same: lamps burn, and a leak stands out from what the city uses.
NIGHT = datetime(2026, 11, 18, 0, 30, tzinfo=UTC)
WAIT_MS = 30_000
# Runs before the page's own scripts: what the security policy refuses is an error of ours.
LISTEN = """window.refused = [];
document.addEventListener('securitypolicyviolation',
  (e) => window.refused.push(`${e.violatedDirective} ${e.blockedURI}`));
"""
HEADS = "() => [...document.querySelectorAll('.ag-header-row-column')].every((row) => row.children.length)"
# Without what nobody reads: the elements that passed, and style sheets loaded anew. A quarter of the time.
AXE_RUN = "(rules) => axe.run(document, {runOnly: rules, resultTypes: ['violations'], preload: false})"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What a theme changes; all else is asked in the dark one.
AXE_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}


def chromium() -> str | None:
    """Path of the browser: CITYNET_TEST_BROWSER or the system's Chromium."""
    given = os.environ.get("CITYNET_TEST_BROWSER")
    return given or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium."""
    expect.set_options(timeout=WAIT_MS)
    return playwright.chromium.launch(executable_path=chromium(), args=FLAGS)


@contextmanager
def simulated(city: City) -> Iterator[City]:
    """A running city with its fleet: a leak comes soon after the start."""
    with city:
        city.set_clock(origin=NIGHT, speed=CITY_SPEED)
        city.start_part("simulate", "--no-recording", command="simulate")
        yield city


@dataclass
class Visitor:
    """One person at one browser: the page, and what went wrong in it."""

    city: City
    page: Page
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def sign_in(self, login: str) -> None:
        """By a one-time link, as a newcomer does."""
        self.page.goto(self.city.account_link(login, demo=True))
        self.page.locator("button[type=submit]").click()
        expect(self.page.locator("#queue")).to_be_visible()

    def speak(self, language: str) -> None:
        """Switch the language of the account where it is another one."""
        if self.page.locator("html").get_attribute("lang") != language:
            self.page.locator("#switch-language").click()
            expect(self.page.locator("html")).to_have_attribute("lang", language)
        expect(self.page.locator("#page h1")).to_be_attached()

    def dress(self, theme: str) -> None:
        """Switch the theme where it is another one."""
        if self.page.locator("html").get_attribute("data-theme") != theme:
            self.page.locator("#switch-theme").click()
            expect(self.page.locator("html")).to_have_attribute("data-theme", theme)
        expect(self.page.locator("#page h1")).to_be_attached()

    def picture(self, name: str) -> None:
        """A screenshot, see IMAGES."""
        IMAGES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=IMAGES / f"{name}.png")

    def violations(self, theme: str = "dark") -> list[str]:
        """What axe-core finds on the page as it is, once its tables have drawn their heads. light: colours alone."""
        self.page.wait_for_function(HEADS)
        self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = self.page.evaluate(AXE_RUN, AXE_RULES if theme == "dark" else AXE_COLOURS)
        return [f"{v['id']}: {n['target']} {n['html'][:120]}" for v in found["violations"] for n in v["nodes"]]

    def complaints(self) -> list[str]:
        """Refusals of the security policy, script errors, requests that left the host."""
        return [*self.page.evaluate("() => window.refused ?? []"), *self.errors, *self.outside]


def visit(browser: Browser, city: City, *, width: int = 1920, height: int = 1080) -> Visitor:
    """A new person without a session."""
    context: BrowserContext = browser.new_context(viewport={"width": width, "height": height})
    context.add_init_script(LISTEN)
    visitor = Visitor(city, context.new_page())

    def seen(request: Request) -> None:
        if not request.url.startswith((city.web_url, "data:", "blob:")):
            visitor.outside.append(request.url)

    context.on("request", seen)
    visitor.page.on("pageerror", lambda error: visitor.errors.append(str(error)))
    return visitor
