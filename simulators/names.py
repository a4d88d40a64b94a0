"""Names of the demo city: invented, generic, in Russian and English. Used by the world files."""

from typing import NamedTuple


class Name(NamedTuple):
    """A name in both languages of the interface."""

    ru: str
    en: str


ORGANISATIONS = {
    "city": Name("Администрация города", "City administration"),
    "water": Name("Водоканал", "Water utility"),
    "power": Name("Городские электросети", "City power grid"),
    "heat": Name("Теплосеть", "District heating company"),
    "lighting": Name("Горсвет", "Street lighting company"),
    "waste": Name("Чистый город", "Waste contractor"),
    "air": Name("Экологический мониторинг", "Environmental monitoring"),
}

# Name, start and end along the shore, near and far distance from it, km.
DISTRICTS = (
    ("south", Name("Южный район", "South district"), -6.4, -4.2, 0.0, 2.15),
    ("seaside", Name("Приморский район", "Seaside district"), -4.2, -2.2, 0.0, 2.15),
    ("centre", Name("Центральный район", "Central district"), -2.2, -0.5, 0.0, 2.15),
    ("north", Name("Северный район", "North district"), -0.5, 0.9, 0.0, 2.15),
    ("port", Name("Портовый район", "Port district"), 0.9, 3.0, 0.0, 1.45),
    ("east", Name("Восточный район", "East district"), 3.0, 5.6, 0.0, 1.15),
)

WEST_STREETS = (
    Name("Набережная", "Embankment"),
    Name("улица Мира", "Mira Street"),
    Name("Центральный проспект", "Central Avenue"),
    Name("Черноморская улица", "Chernomorskaya Street"),
    Name("Садовая улица", "Sadovaya Street"),
    Name("Виноградная улица", "Vinogradnaya Street"),
    Name("Нагорная улица", "Nagornaya Street"),
)
EAST_STREETS = (
    Name("Восточная набережная", "East Embankment"),
    Name("Портовая улица", "Portovaya Street"),
    Name("Заводская улица", "Zavodskaya Street"),
    Name("Горная улица", "Gornaya Street"),
)
CROSS_STREETS = tuple(
    Name(f"{ru} улица", f"{en} Street")
    for ru, en in (
        ("Маячная", "Mayachnaya"),
        ("Парусная", "Parusnaya"),
        ("Лазурная", "Lazurnaya"),
        ("Прибойная", "Priboynaya"),
        ("Якорная", "Yakornaya"),
        ("Сосновая", "Sosnovaya"),
        ("Кипарисовая", "Kiparisovaya"),
        ("Лавровая", "Lavrovaya"),
        ("Платановая", "Platanovaya"),
        ("Ореховая", "Orekhovaya"),
        ("Каштановая", "Kashtanovaya"),
        ("Школьная", "Shkolnaya"),
        ("Рыночная", "Rynochnaya"),
        ("Морская", "Morskaya"),
        ("Театральная", "Teatralnaya"),
        ("Парковая", "Parkovaya"),
        ("Бульварная", "Bulvarnaya"),
        ("Вокзальная", "Vokzalnaya"),
        ("Северная", "Severnaya"),
        ("Ветровая", "Vetrovaya"),
        ("Родниковая", "Rodnikovaya"),
        ("Элеваторная", "Elevatornaya"),
        ("Причальная", "Prichalnaya"),
        ("Складская", "Skladskaya"),
        ("Грузовая", "Gruzovaya"),
        ("Судоремонтная", "Sudoremontnaya"),
        ("Цементная", "Tsementnaya"),
        ("Кольцевая", "Koltsevaya"),
        ("Каменная", "Kamennaya"),
        ("Солнечная", "Solnechnaya"),
        ("Степная", "Stepnaya"),
        ("Рыбацкая", "Rybatskaya"),
        ("Тихая", "Tikhaya"),
        ("Дальняя", "Dalnyaya"),
        ("Луговая", "Lugovaya"),
        ("Мысовая", "Mysovaya"),
    )
)
