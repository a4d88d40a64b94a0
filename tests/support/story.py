"""The main story as an operator plays it, in the language of the page: from the alarm to the solved incident."""

from playwright.sync_api import Locator, Page, expect

from tests.support.browser import Visitor

WORDS = {
    "ru": {
        "leak": "Утечка",
        "acknowledged": "Подтверждён",
        "resolved": "Решён",
        "close": "Закрыть задвижку",
        "confirm": "выполнить",
    },
    "en": {
        "leak": "Leak",
        "acknowledged": "Acknowledged",
        "resolved": "Resolved",
        "close": "Close valve",
        "confirm": "execute",
    },
}
# From the fault on the time line until analytics is sure: minutes of the city's time.
LEAK_MS = 180_000


def queue_row(page: Page, text: str) -> Locator:
    """The first row of the queue with this text."""
    return page.locator("#queue .ag-row", has_text=text).first


def work(page: Page, name: str) -> None:
    """Press a button of the card."""
    page.locator(f"#card-work button[id*='\"{name}\"']").click()


def play_the_leak(senior: Visitor, language: str) -> None:
    """The leak appears on map and queue, is acknowledged; the valve is closed, confirmed; the incident is resolved."""
    page, words = senior.page, WORDS[language]
    leak = queue_row(page, words["leak"])
    expect(leak).to_be_visible(timeout=LEAK_MS)
    leak.click()
    expect(page.locator("#card h2").first).to_contain_text(words["leak"])
    expect(page.locator(".cm-ring span")).to_be_visible()  # the map followed
    expect(page.locator("#card-plot .main-svg").first).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator("#toast-undo")).to_be_visible()
    expect(leak).to_contain_text(words["acknowledged"])
    page.locator(".cm-zoom button").last.click()  # the whole city
    expect(page.locator("#card")).to_contain_text(words["acknowledged"])
    senior.picture(f"main-{language}")

    page.locator("#card-commands button", has_text=words["close"]).last.click()
    page.locator("[role=dialog] input").fill(words["confirm"])  # a valve is dangerous
    page.locator("#dialog-send").click()
    expect(page.locator('[data-command-state="confirmed"]').first).to_be_visible(timeout=60_000)
    expect(page.locator("#toast-bar")).to_be_hidden()  # nothing covers the picture, and the map has come to rest
    senior.picture(f"command-{language}")

    work(page, "resolve")
    page.locator("textarea").first.fill("OK: 12 m³/h")
    page.locator("#dialog-send").click()
    expect(page.locator("[role=dialog]")).to_be_hidden()
    expect(leak).to_contain_text(words["resolved"])
