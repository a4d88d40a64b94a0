"""Words of the screens: same keys in both languages, three Russian plural forms, numbers, spans, the city's zone."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from citynet.catalog import catalog
from situation_center import wording
from situation_center.wording import LANGUAGES
from tests.contracts.test_tidy import python_files, tree


def keys(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_both_languages_have_the_same_words() -> None:
    assert set(keys(wording.texts("ru"))) == set(keys(wording.texts("en")))


def said() -> set[str]:
    """Every literal key that code hands to say()."""
    found: set[str] = set()
    for file in python_files("situation_center"):
        for node in ast.walk(tree(file)):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "say"
                and isinstance(node.args[1], ast.Constant)
            ):
                found.add(str(node.args[1].value))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_that_code_asks_for_is_there(language: str) -> None:
    assert said() <= set(keys(wording.texts(language)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_unit_and_class_of_the_catalogue_has_a_word(language: str) -> None:
    units = {quantity.unit for quantity in catalog().quantities.values()}
    classes = {profile.class_ for profile in catalog().profiles.values()}
    assert units <= set(wording.texts(language)["unit"])
    assert classes <= set(wording.texts(language)["class"])


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0 объектов"), (1, "1 объект"), (3, "3 объекта"), (5, "5 объектов"), (11, "11 объектов"), (12, "12 объектов"),
     (21, "21 объект"), (104, "104 объекта"), (111, "111 объектов"), (1000, "1\u202f000 объектов")],
)  # fmt: skip
def test_russian_has_three_plural_forms(n: int, text: str) -> None:
    assert wording.count("ru", "object", n) == text


def test_english_has_two() -> None:
    assert [wording.count("en", "object", n) for n in (1, 2, 1500)] == ["1 object", "2 objects", "1,500 objects"]


@pytest.mark.parametrize(
    ("value", "ru", "en"),
    [(None, "—", "—"), (0.0, "0", "0"), (-0.001, "0", "0"), (0.126, "0,13", "0.13"), (38.44, "38,4", "38.4"),
     (12345.6, "12\u202f346", "12,346"), (-7.5, "-7,5", "-7.5")],
)  # fmt: skip
def test_numbers(value: float | None, ru: str, en: str) -> None:
    assert (wording.number("ru", value), wording.number("en", value)) == (ru, en)


def test_spans_and_moments() -> None:
    assert wording.span("ru", timedelta(seconds=45)) == "45 с"
    assert wording.span("en", timedelta(hours=27, minutes=5)) == "1 d 3 h"
    moment = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
    assert wording.date_time("ru", moment, ZoneInfo("Europe/Moscow")) == "22 ноя, 01:30"
    assert wording.clock_time(None, ZoneInfo("Europe/Moscow")) == "—"
    assert wording.zone_name(moment, ZoneInfo("Europe/Moscow")) == "UTC+3"
    assert wording.zone_name(moment, ZoneInfo("America/St_Johns")) == "UTC−3:30"
