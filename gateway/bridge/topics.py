"""Topic filters of MQTT and what becomes of a topic that matches one. Pure."""

import re
from collections.abc import Iterable

from citynet.errors import BadInput

# What no subject of NATS can carry; a client that publishes such a topic is thrown out.
UNFIT = re.compile(r"[\s*>\0]")
HOLE = re.compile(r"\{(\d)\}")


def pattern(topic_filter: str) -> re.Pattern[str]:
    """A filter as an expression with a group for each wildcard. Raises ValueError for what is no filter."""
    levels = topic_filter.split("/")
    words = []
    for number, level in enumerate(levels, 1):
        if level == "#" and number == len(levels):
            words.append("(.+)")
        elif level == "+":
            words.append("([^/]+)")
        elif "+" in level or "#" in level or not topic_filter:
            raise ValueError(f"{topic_filter!r} is no topic filter")
        else:
            words.append(re.escape(level))
    return re.compile("/".join(words))


def _filled(target: str, found: re.Match[str]) -> str:
    return HOLE.sub(lambda hole: str(found[int(hole[1])]), target)


class Topics:
    """Ordered pairs of a filter and the topic that it leads to; the first that matches counts.

    A topic that would lead to none of the allowed filters leads nowhere.
    """

    def __init__(self, routes: Iterable[tuple[str, str]], allowed: Iterable[str] = ("#",)) -> None:
        self._routes = [(pattern(source), target) for source, target in routes]
        self._allowed = [pattern(one) for one in allowed]
        for expression, target in self._routes:
            if any(not 1 <= int(hole) <= expression.groups for hole in HOLE.findall(target)):
                raise ValueError(f"{target!r} names a wildcard that its filter does not have")

    def lead(self, topic: str) -> str | None:
        """Where a topic goes, None when no filter matches. Raises BadInput (bad_topic) for what no subject can be."""
        for expression, target in self._routes:
            found = expression.fullmatch(topic)
            if found:
                goal = _filled(target, found) if target else topic
                if not any(one.fullmatch(goal) for one in self._allowed):
                    return None
                if UNFIT.search(goal):
                    raise BadInput("bad_topic", repr(goal[:100]))
                return goal
        return None

    @staticmethod
    def may_lead(source: str, target: str, allowed: Iterable[str]) -> bool:
        """Whether any topic that matches source leads to one of the allowed filters."""
        topics = Topics([(source, target)], allowed)
        return any(topics.lead(source.replace("+", "x").replace("#", rest)) for rest in ("x", "up", "x/x"))
