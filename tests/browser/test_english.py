"""In English: every page in both themes without an accessibility violation, keys, the main story, a phone."""

import pytest
from playwright.sync_api import Browser, expect

from citynet.supervisor import City
from tests.support.browser import Visitor, visit
from tests.support.story import play_the_leak

pytestmark = pytest.mark.parametrize("town", ["first"], indirect=True)

PAGES = ("/", "/service/water", "/service/lighting", "/service/air", "/pipeline", "/account")
SLASH = """() => {
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "/", code: "Slash", bubbles: true }));
  return document.activeElement.id;
}"""
RUSSIAN_J = "() => document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'о', code: 'KeyJ', bubbles: true}))"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_an_accessibility_violation(senior: Visitor, town: City, theme: str) -> None:
    senior.speak("en")
    senior.dress(theme)
    found: dict[str, list[str]] = {}
    for path in PAGES:
        senior.page.goto(f"{town.web_url}{path}")
        expect(senior.page.locator("#page h1")).to_be_attached()
        expect(senior.page.locator("#page .js-plotly-plot .main-svg, #queue, .page").first).to_be_attached()
        violations = senior.violations(theme)
        found |= {path: violations} if violations else {}
        if theme == "dark":
            senior.picture(path.strip("/").replace("/", "-") or "overview")
    assert found == {}


def test_the_sign_in_page_has_no_accessibility_violation(browser: Browser, town: City) -> None:
    visitor = visit(browser, town)
    visitor.page.goto(f"{town.web_url}/signin?lang=en")
    expect(visitor.page.locator("h1")).to_be_visible()
    assert visitor.violations() == []
    assert visitor.complaints() == []


def test_the_leak_from_alarm_to_resolved(senior: Visitor) -> None:
    senior.speak("en")
    play_the_leak(senior, "en")


def test_keys_walk_the_queue_and_open_the_help(senior: Visitor) -> None:
    senior.speak("en")
    page = senior.page
    expect(page.locator("#queue .ag-row").nth(1)).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator("#queue .ag-row-selected")).to_have_attribute("row-index", "0")
    page.evaluate(RUSSIAN_J)
    expect(page.locator("#queue .ag-row-selected")).to_have_attribute("row-index", "1")
    page.keyboard.press("k")
    expect(page.locator("#queue .ag-row-selected")).to_have_attribute("row-index", "0")
    page.keyboard.press("?")
    expect(page.locator("[role=dialog]")).to_contain_text("acknowledge")
    page.keyboard.press("Escape")
    expect(page.locator("[role=dialog]")).to_be_hidden()
    assert page.evaluate(SLASH) == "queue-search", "what is typed right after the slash went to the keys"
    page.keyboard.type("nothing like this")
    expect(page.locator("#queue .ag-row")).to_have_count(0)


def test_an_acknowledgement_can_be_undone(senior: Visitor) -> None:
    page = senior.page
    row = page.locator("#queue .ag-row", has_text="New").first
    row.click()
    name = row.get_attribute("row-id")
    page.keyboard.press("a")
    same = page.locator(f'#queue .ag-row[row-id="{name}"]')
    expect(same).to_contain_text("Acknowledged")
    page.locator("#toast-undo").click()
    expect(same).to_contain_text("New")


def test_a_phone_shows_one_pane_at_a_time(browser: Browser, town: City) -> None:
    phone = visit(browser, town, width=390, height=844)
    phone.sign_in("operator")
    page = phone.page
    page.locator("#queue .ag-row").first.click()
    expect(page.locator("#card .headline")).to_be_visible()
    page.locator("#pane-map").click()
    expect(page.locator(".maplibregl-canvas")).to_be_visible()
    expect(page.locator("#card .headline")).to_be_hidden()
    overflow = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
    phone.picture("phone")
    assert phone.complaints() == []
