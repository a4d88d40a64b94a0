"""In Russian: the main story, what roles see, a session that ends, a web process that is killed."""

import os
import re
import signal

import pytest
from playwright.sync_api import Browser, expect

from citynet.supervisor import City
from tests.support.browser import Visitor, visit
from tests.support.story import play_the_leak

pytestmark = pytest.mark.parametrize("town", ["second"], indirect=True)


def test_the_leak_from_alarm_to_resolved(senior: Visitor) -> None:
    senior.speak("ru")
    play_the_leak(senior, "ru")


def test_an_executive_looks_and_cannot_act(browser: Browser, town: City) -> None:
    executive = visit(browser, town)
    executive.sign_in("executive")
    page = executive.page
    page.locator("#queue .ag-row").first.click()
    expect(page.locator("#card .headline")).to_be_visible()
    expect(page.locator("#card-work button")).to_have_count(0)
    expect(page.locator("#card-commands button")).to_have_count(0)
    expect(page.locator("#comment-text")).to_have_count(0)
    expect(page.locator('#nav a[href="/pipeline"]')).to_have_count(0)
    page.goto(f"{town.web_url}/pipeline")
    expect(page.locator("#page h1")).to_contain_text("Нет права")
    assert executive.complaints() == []


def test_a_dispatcher_sees_his_own_service(browser: Browser, town: City) -> None:
    water = visit(browser, town)
    water.sign_in("water")
    expect(water.page.locator('#nav a[href^="/service/"]')).to_have_count(1)
    expect(water.page.locator("#queue .ag-row", has_text="контейнер")).to_have_count(0)


def test_a_session_that_ends_is_said_and_leads_back(browser: Browser, town: City) -> None:
    person = visit(browser, town)
    person.sign_in("operator")
    page = person.page
    other = page.context.new_page()
    other.goto(f"{town.web_url}/account")
    other.locator(".header form button").click()
    expect(other.locator("body.signin")).to_contain_text("Вы вышли")
    expect(page.locator("#session-ended")).to_be_visible()
    page.locator("#session-ended a").click()
    expect(page.locator("input[name=password]")).to_be_visible()


@pytest.mark.parametrize(
    ("login", "word"), [("operator", "Неверный логин или пароль"), ("nobody", "Неверный логин или пароль")]
)
def test_a_wrong_password_is_told_in_clear_words(browser: Browser, town: City, login: str, word: str) -> None:
    page = visit(browser, town).page
    page.goto(f"{town.web_url}/service/water?lang=ru")
    expect(page).to_have_url(re.compile(r"/signin\?next="))
    page.goto(f"{town.web_url}/signin?lang=ru&next=%2Fservice%2Fwater")
    page.locator("input[name=login]").fill(login)
    page.locator("input[name=password]").fill("wrong")
    page.locator("button[type=submit]").click()
    expect(page.locator("[role=alert]")).to_contain_text(word)


def test_a_killed_web_process_comes_back_by_itself(senior: Visitor, town: City) -> None:
    page = senior.page
    expect(page.locator("#queue .ag-row").first).to_be_visible()
    os.kill(town.children["web"].process.pid, signal.SIGKILL)
    expect(page.locator("#connection-banner")).to_be_visible()
    town.run_until(lambda: town.children["web"].process.poll() is None)
    expect(page.locator("#connection-banner")).to_be_hidden(timeout=60_000)
    expect(page.locator("#queue .ag-row").first).to_be_visible()
    senior.errors.clear()  # fetches that failed while nobody answered
