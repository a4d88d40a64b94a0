"""Fixes of moving objects: jumps, places that are none, ways."""

from situation_center.tracks import Fix, Trail, believed, length_m

AT = Fix(0, 37.77, 44.72)


def east(fix: Fix, metres: float, seconds: float) -> Fix:
    return Fix(fix.time_us + round(seconds * 1e6), fix.lon + metres / 79_000, fix.lat)


def test_a_jump_is_left_out_and_counts_once_it_is_confirmed() -> None:
    near, far = east(AT, 300, 30), east(AT, 50_000, 40)
    back, there = east(AT, 400, 50), east(AT, 50_010, 50)
    assert believed([AT, near, far, back]) == [AT, near, back]
    assert believed([AT, near, far, there]) == [AT, near, far, there]
    assert 290 < length_m([AT, near]) < 310


def test_noise_is_no_jump_and_old_fixes_change_nothing() -> None:
    trail = Trail()
    assert trail.take(AT)
    assert trail.take(east(AT, 150, 0.1))
    assert not trail.take(AT)
    assert not trail.take(east(AT, 10, 0.1))
    assert trail.kept == east(AT, 150, 0.1)


def test_no_place_is_no_fix() -> None:
    assert believed([Fix(0, 0.0, 0.0), Fix(1, 181.0, 1.0), Fix(2, 1.0, float("nan")), Fix(3, 1.0, 2.0)]) == [
        Fix(3, 1.0, 2.0)
    ]


def test_the_date_line_is_crossed_without_a_jump() -> None:
    assert len(believed([Fix(0, 179.9999, 10.0), Fix(1_000_000, -179.9999, 10.0)])) == 2
