"""Addresses as people write them become one normal form."""

import pytest

from situation_center.reference.addresses import norm, split

SAME = [
    ("ул. Мира, д. 12", "Мира, 12"),
    ("улица Мира, дом 12", "УЛ МИРА, 12"),
    ("пр-т Ленина, 5 корп. 2", "проспект Ленина, д. 5 к2"),
    ("Ленина пр-кт, 5, к. 2", "просп. Ленина, 5к2"),
    ("пер. Тихий, 7а", "переулок Тихий, д.7 А"),
    ("наб. Серебрякова, 3/1", "Набережная Серебрякова, 3 / 1"),
    ("г. Новороссийск, ул. Советов, 10", "ул.Советов, 10"),
    ("ул. Королёва, 1 стр. 4", "Королева, 1с4"),
    ("Мира 12", "ул. Мира, 12"),
    ("Mira st, 12", "Mira street, 12"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_address_in_other_words(one: str, other: str) -> None:
    assert split(one) == split(other)


def test_other_addresses_stay_apart() -> None:
    assert norm("ул. Мира", "12") != norm("пер. Мира", "12")
    assert norm("ул. Мира", "12") != norm("ул. Мира", "12а")
    assert norm("ул. 8 Марта", "1") == "8 марта, 1"
