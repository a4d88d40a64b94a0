"""Which systems write the fields of a class, the master first, in words."""

from citynet.classes import ObjectClass
from situation_center.wording import say


def masters(order: tuple[str, ...], language: str) -> str:
    """The systems in their order; anybody where none is named."""
    return " → ".join(order) if order else say(language, "classes.anybody")


def masters_of(kind: ObjectClass | None, language: str) -> str:
    """The order of a class, and of its attributes that have one of their own."""
    if kind is None:
        return say(language, "classes.anybody")
    own = [
        f"{a.title_ru if language == 'ru' else a.title_en}: {masters(a.order, language)}"
        for a in kind.attribute
        if a.order
    ]
    return "; ".join([masters(kind.order, language), *own])
