"""What screens make of the read models: queue rows, strip levels, addresses of pages, arguments, bytes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from citynet.access import POLICY, Actor
from citynet.errors import BadInput
from citynet.settings import Settings
from situation_center import desk, screens
from situation_center.live import Push
from situation_center.screens.parts import dialogs, feed, rows, shell
from situation_center.screens.parts.frames import hex_lines
from situation_center.views.rows import PossibleCommand, Strip
from situation_center.wording import LANGUAGES

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def strip(**changes: Any) -> Strip:
    base: dict[str, Any] = {
        "now": NOW,
        "speed": 1.0,
        "timezone": "Europe/Moscow",
        "open": {},
        "unacknowledged": {},
        "oldest_unacknowledged": None,
        "alarm_rate_10min": 0,
        "ingest_lag_s": None,
        "devices": 0,
        "silent": 0,
        "silent_share": 0.0,
        "sign_in_away": None,
    }
    return base | changes  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({}, "calm"),
        ({"alarm_rate_10min": 3}, "raised"),
        ({"open": {1: 1}}, "raised"),
        ({"alarm_rate_10min": 10}, "flood"),
    ],
)
def test_stage_of_the_city(changes: dict[str, Any], stage: str) -> None:
    assert rows.stage(strip(**changes)) == stage


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_empty_city_has_a_strip(language: str) -> None:
    data = rows.strip_data(strip(), language)
    assert data["strip-oldest"]["since"] is None
    assert data["strip-lag"]["text"] == "—"
    assert data["strip-new-1"] == {"text": "0", "zero": "yes"}


def test_the_strip_says_when_no_device_can_sign_in() -> None:
    away = rows.strip_data(strip(sign_in_away=NOW), "en")["strip-sign-in"]
    well = rows.strip_data(strip(), "en")["strip-sign-in"]
    assert (away, well) == ({"text": "away", "level": "bad"}, {"text": "works", "level": None})


def test_levels_of_the_strip() -> None:
    data = rows.strip_data(strip(ingest_lag_s=400.0, silent_share=0.1, oldest_unacknowledged=NOW), "en")
    assert (data["strip-lag"]["level"], data["strip-silent"]["level"]) == ("bad", "warn")
    assert data["strip-oldest"]["since"] == str(int(NOW.timestamp() * 1000))


@pytest.mark.parametrize(
    ("path", "name"),
    [("/", "main"), ("/service/water", "service"), ("/object/42", "object"), ("/pipeline", "pipeline"),
     ("/service/../x", None), ("/object/x", None), ("/nosuch", None)],
)  # fmt: skip
def test_addresses(path: str, name: str | None) -> None:
    found = screens.find(path)
    assert (found[0].name if found else None) == name


@pytest.mark.parametrize("screen", screens.screens())
def test_every_screen_asks_for_a_right_that_exists(screen: str) -> None:
    assert screens.screens()[screen].action in set().union(*POLICY.values())


async def test_a_page_without_the_right_says_so() -> None:
    page = await shell.page(Actor(1, "eva", "executive", language="en"), "/pipeline")
    assert "no right" in page.children[0].children


async def test_an_unknown_page_says_so() -> None:
    page = await shell.page(Actor(1, "eva", "executive", language="en"), "/nosuch")
    assert "no such page" in page.children[0].children


def test_an_executive_sees_no_pipeline_and_a_dispatcher_only_his_service() -> None:
    assert "/pipeline" not in dict(shell.pages(Actor(1, "eva", "executive")))
    own = dict(shell.pages(Actor(1, "ivan", "utility_dispatcher", services=frozenset({"water"}))))
    assert [path for path in own if path.startswith("/service/")] == ["/service/water"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("role", POLICY)
def test_the_shell_has_all_its_words(monkeypatch: pytest.MonkeyPatch, language: str, theme: str, role: str) -> None:
    monkeypatch.setattr(shell, "desk", lambda: desk.Desk(Settings(), None, None))  # type: ignore[arg-type]
    assert shell.shell(Actor(1, "eva", role, language=language, theme=theme)) is not None


def command(*arguments: dict[str, Any]) -> PossibleCommand:
    base = {"type": "number", "min": 0, "max": 100, "default": None, "unit": "%", "title_ru": "", "title_en": ""}
    return {"args": [base | a for a in arguments]}  # type: ignore[typeddict-item]


def test_arguments_of_a_command() -> None:
    assert dialogs.arguments(command({"name": "level"}), {"level": 30}) == {"level": 30.0}
    with pytest.raises(BadInput, match="level"):
        dialogs.arguments(command({"name": "level"}), {"level": ""})


def test_bytes_in_hex() -> None:
    lines = hex_lines(b'{"flow": NaN}\x00\xff' + b"x" * 2).split("\n")
    assert lines[0].startswith("000000  7b 22 66 6c 6f 77")
    assert lines[0].endswith('{"flow": NaN}..x')
    assert lines[1].startswith("000010  78")


def test_changes_gather() -> None:
    changes = feed.Changes()
    for kind, body in (("incident", b'{"ids":["3","1"]}'), ("incident", b'{"ids":["3"]}'), ("newest", b"{}")):
        changes.add(Push(kind, body))
    assert (changes.incidents, changes.newest, changes.everything) == ({"1", "3"}, True, False)
    changes.add(Push("resync", b""))
    assert changes.everything
