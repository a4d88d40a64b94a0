"""The city and the browser of these tests; without Chromium they are not run."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from citynet import embedded
from citynet.supervisor import City
from tests.support.browser import Visitor, chromium, launch, simulated, visit


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here; `-m "not browser"` leaves it out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def town() -> Iterator[City]:
    """A whole city. Its leak can be played once, so modules name the city they are in, as a parameter of it.

    pytest keeps a city until a test asks for another one: two never run at the same time.
    """
    home = Path(tempfile.mkdtemp(prefix="citynet-browser-"))
    home.chmod(0o755)  # PostgreSQL runs as another user when the tests run as root
    settings = embedded.apart(home, camera_networks="127.0.0.0/8")
    with simulated(City(settings)) as city:
        yield city
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def browser(town: City) -> Iterator[Browser]:
    """The system's Chromium, after the city: Playwright's loop would be in the way of asyncio.run()."""
    if not chromium():
        pytest.skip("no Chromium: apt-get install chromium, or name one in CITYNET_TEST_BROWSER")
    with sync_playwright() as playwright:
        engine = launch(playwright)
        yield engine
        engine.close()


@pytest.fixture
def senior(browser: Browser, town: City) -> Iterator[Visitor]:
    """A senior operator at the main screen; the page must have nothing to complain of in the end."""
    visitor = visit(browser, town)
    visitor.sign_in("senior")
    yield visitor
    complaints = visitor.complaints()
    visitor.page.context.close()
    assert complaints == []
