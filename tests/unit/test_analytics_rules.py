"""The rule language: what it computes, what unknown means, and what it refuses with which words."""

import numpy as np
import pytest

from analytics.columns import Floats
from analytics.expression import compile_text
from analytics.rules import compile_rule, sentence
from analytics.windows import How
from citynet.catalog import Rule, catalog
from citynet.errors import BadInput

QUANTITIES = {"water_flow", "voltage", "lamp_power", "lamp_level", "pm10"}


class Table:
    """Three objects with fixed values; NaN = never reported."""

    flow = np.array([5.0, 20.0, np.nan])

    def value(self, quantity: str) -> Floats:
        return {"water_flow": self.flow, "voltage": np.array([230.0, 0.0, 100.0])}.get(quantity, np.zeros(3))

    def score(self, quantity: str) -> Floats:
        return np.array([0.5, 7.0, -9.0])

    def window(self, quantity: str, seconds: int, how: How) -> Floats:
        return np.array([seconds, {"mean": 1, "max": 2, "min": 3, "last": 4}[how], np.nan], float)

    def rate(self, quantity: str) -> Floats:
        return np.array([-1.0, 0.0, 1.0])

    def nodata(self) -> Floats:
        return np.array([1.0, 11.0, np.nan])


T, F, U = 1.0, 0.0, np.nan


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("water_flow > 10", [F, T, U]),
        ("water_flow >= 5 && water_flow <= 5", [T, F, U]),
        ("water_flow != 5", [F, T, U]),
        ("score(water_flow) > 6 && water_flow > 10", [F, T, F]),
        ("abs(score(water_flow)) > 6", [F, T, T]),
        ("voltage < 207 || voltage > 253", [F, T, T]),
        ("water_flow > 10 || voltage < 150", [F, T, T]),
        ("water_flow > 10 && voltage > 150", [F, F, F]),
        ("!(voltage < 150)", [T, F, F]),
        ("nodata() > 10", [F, T, U]),
        ('window(pm10, "15m", "mean") == 900', [T, F, U]),
        ('window(pm10, "15m", "max") == 2.0', [F, T, U]),
        ("rate(water_flow) < 0", [T, F, F]),
        ("water_flow * 2 + 1 - 3 > 30 / 3 % 7", [T, T, U]),
        ("-water_flow < -10", [F, T, U]),
        ("1 / (voltage - 230) > 0", [U, F, F]),
        ("voltage > 150 ? water_flow > 1 : true", [T, T, T]),
        ("water_flow > 1e1", [F, T, U]),
        ("(voltage > 1) == (water_flow > 10)", [F, F, U]),
    ],
)
def test_truth(text: str, truth: list[float]) -> None:
    code, _ = compile_text(text, QUANTITIES)
    np.testing.assert_array_equal(np.broadcast_to(code.run(Table()), 3), truth)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("watter_flow > 1", "did you mean water_flow"),
        ("water_flow", "gives a number"),
        ("water_flow > ", "cannot be read at character"),
        ("water_flow > 1 &&", "cannot be read"),
        ("water_flow @ 1", "cannot be read at character 12"),
        ("", "cannot be read"),
        ("1 > 0", "reads no quantity"),
        ("water_flow > 'x'", "a number is needed where a text stands"),
        ("water_flow && true", "a truth is needed where a number stands"),
        ("(water_flow > 1) + 1 > 1", "a number is needed where a truth stands"),
        ("!water_flow", "a truth is needed"),
        ("'a' == 'b'", "texts cannot be compared"),
        ("water_flow / 0 > 1", "divides by zero"),
        ("water_flow > 1e999", "too large"),
        ("forecast(water_flow) > 1", r"unknown function forecast\(\)"),
        ("score(water_flow + 1) > 1", "not an expression"),
        ("score() > 1", "takes one quantity"),
        ("nodata(water_flow) > 1", "takes nothing"),
        ('window(pm10, "15", "mean") > 1', "is no duration"),
        ('window(pm10, "30d", "mean") > 1', "out of range"),
        ('window(pm10, "15m", "median") > 1', "mean, max, min or last"),
        ("window(pm10) > 1", "takes a quantity, a duration and an aggregate"),
        ("water_flow.real > 1", "not part of the rule language"),
        ("water_flow in [1, 2]", "not part of the rule language"),
        ("[1][0] > water_flow", "not part of the rule language"),
        ("water_flow > 1u", "not part of the rule language"),
        ("-(" * 100 + "water_flow" + ")" * 100 + " > 1", "too deep"),
        ("!" * 200 + "(water_flow > 1)", "too deep"),
        (" || ".join(["water_flow > 1"] * 50), "too deep or too long"),
        ("water_flow > 1 || " * 100 + "true", "the limit is 1000"),
    ],
)
def test_refused_with_words_for_the_author(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        compile_text(text, QUANTITIES)


def rule(**changes: object) -> Rule:
    body = {
        "id": "t.r", "severity": "low", "signal": "s", "class": "lamp", "text": "lamp_level > 5 && lamp_power < 5",
        "title_ru": "т", "title_en": "t", "why_ru": "Яркость {value:.0f} %", "why_en": "Level {value:.0f} %",
    }  # fmt: skip
    return Rule.model_validate(body | changes)


def test_the_first_thing_read_is_the_headline() -> None:
    assert compile_rule(rule(), 1, quantities=QUANTITIES).headline.quantity == "lamp_level"
    window = compile_rule(rule(text='window(pm10, "20m", "mean") > 3'), 1, quantities=QUANTITIES)
    assert window.headline.function == "window"
    scored = compile_rule(rule(text="score(pm10) > 3"), 1, quantities=QUANTITIES)
    assert (scored.headline.function, scored.scored) == ("value", "pm10")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{valeu:.1f}", "unknown field"),
        ("{value.__class__}", "unknown field"),
        ("{value:100000000f}", "not allowed"),
        ("{value!r}", "not allowed"),
        ("{value", "expected '}'"),
    ],
)
def test_a_sentence_has_only_figures(template: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        compile_rule(rule(why_en=template), 1, quantities=QUANTITIES)


def test_an_unknown_figure_is_a_dash() -> None:
    assert sentence("{value:.1f} of {low:.1f}", {"value": 1.25, "low": float("nan")}) == "1.2 of –"


def test_delays_are_limited() -> None:
    with pytest.raises(BadInput, match="hold_s"):
        compile_rule(rule(hold_s=-1), 1, quantities=QUANTITIES)


@pytest.mark.parametrize("name", sorted(name for name, one in catalog().rules.items() if not one.told_by))
def test_the_rules_of_the_shipped_services_compile(name: str) -> None:
    known = {
        m.quantity
        for p in catalog().profiles.values()
        if p.class_ == catalog().rules[name].class_
        for m in p.map.values()
    }
    compile_rule(catalog().rules[name], 1, quantities=known)
