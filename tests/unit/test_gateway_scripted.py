"""Outputs of scripts read in few steps say the same as read with care."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citynet.errors import BadInput
from citynet.settings import Settings
from gateway.codecs import Result
from gateway.scripted import Heard, gathered, spoken
from gateway.targets import NO_SERIES, Layout
from gateway.wire import Parsed

LIMITS = Settings(values_per_uplink=30)
NAMES = st.sampled_from(["a", "b", "t", "a.b", "b[0]", "normalized", "time"])
SCALARS = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(width=32), st.booleans(), st.none(), st.sampled_from(["x", "12", "open"])
)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)
KEYS = ["a", "b", "t", "a.b", "a.b.t", "b[0]", "b[1].a", "normalized.a", "normalized.a.b", "a.time", "normalized"]


def layout(keys: list[str]) -> Layout:
    """Of a profile that maps these keys."""
    return Layout({key: number for number, key in enumerate(keys)}, {}, (), ())


def heard(data: object, normalized: object) -> Heard:
    """What a script returned."""
    return Heard(Parsed(), None, Result("result", json.dumps({"data": data, "normalized": normalized})))


@given(st.dictionaries(NAMES, DATA, max_size=5), DATA, st.lists(st.sampled_from(KEYS), unique=True, min_size=1))
def test_few_steps_and_care_agree(data: dict[str, object], normalized: object, keys: list[str]) -> None:
    offsets = layout(keys).offsets
    tree = layout(keys).tree
    if tree is None:
        return
    quick = gathered(heard(data, normalized), tree, LIMITS)
    if quick is None:
        return
    careful = spoken(heard(data, normalized), LIMITS)
    [sample] = careful.samples
    mapped = [(offsets[key], value) for key, value in sample.values.items() if key in offsets]
    assert Counter(zip(quick[0].offsets, quick[0].values, strict=True)) == Counter(mapped)
    assert not [bad for bad in careful.bad if bad.key in offsets]
    assert quick[0].unmapped == len(sample.values) - len(mapped) + len(careful.bad)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"a": 1, "deep": {"t": 2.5, "u": 3}, "list": [4, {"x": 5}], "note": "text"}, {0: 1, 1: 2.5, 2: 5}),
        ({"a": None, "deep": {"t": 0}}, {1: 0}),
        ({"a": "text", "deep": {"t": 0}}, None),
        ({"deep.t": 1, "a": 1}, None),
        ({"other": 1}, None),
        ([1], None),
    ],
)
def test_common_outputs_are_read_in_few_steps(data: object, found: dict[int, float] | None) -> None:
    tree = layout(["a", "deep.t", "list[1].x"]).tree
    assert tree
    quick = gathered(heard(data, None), tree, LIMITS)
    assert (quick and dict(zip(quick[0].offsets, quick[0].values, strict=True))) == found


def test_an_error_of_the_script_is_raised() -> None:
    refused = Heard(Parsed(), None, Result("result", '{"data": {"a": 1}, "errors": ["wrong length"]}'))
    with pytest.raises(BadInput, match="wrong length"):
        gathered(refused, {"a": 0}, LIMITS)


@pytest.mark.parametrize("keys", [["a", "a.b"], ["a.b", "a"], ["a..b"], ["a[x]"], [""], [".a"]])
def test_keys_that_are_no_path_are_read_with_care(keys: list[str]) -> None:
    assert layout(keys).tree is None


def test_a_series_that_does_not_exist_yet_is_looked_at_alone() -> None:
    assert Layout({"a": NO_SERIES}, {}, (), ()).tree is None
    assert Layout({"a": 0}, {"b": (1, {"open": 1.0})}, (), ()).tree is None
