"""Keys cut into words: "TempC_SHT" -> temp, c, sht. Used by the proposer."""

import re
from functools import lru_cache

from citynet import units
from gateway.normalise.naming import naming

# Letters with digits that are one word, whatever stands around them.
ONE_WORD = re.compile(
    r"(?i)(?P<pm>pm[ _.-]?(?:2[ _.,p]?5|10(?![0-9])(?:[_.]0)?|1(?![0-9])(?:[_.]0)?|4(?![0-9])(?:[_.]0)?))|"
    r"(?:e?co2|no2|so2|h2s|nh3|ch4|ch2o|(?<![a-z])o[23](?![a-z]))(?!\d)|"
    r"(?<![a-z])(?:l[acz][fsi]?(?:max|min|eq|peak)|l[acz][fsi]|ph)(?![a-z])|db[ac](?=fast|slow|peak|max|min|avg)|ds18b20|pt1000?|sht\d+x?|bme\d+|scd\d+|"
    r"4[_-]20[ _]?ma|(?:kilo)?watt[ _-]?hours?"
)
PIECE = re.compile(r"[A-ZА-ЯЁ]+(?=[A-ZА-ЯЁ][a-zа-яё])|[A-ZА-ЯЁ]?[a-zа-яёäöüéèàß]+|[A-ZА-ЯЁ]+|\d+|[°℃℉%µμ²³Ω/⋅]+")
# Registers of electricity meters: 1.8.0, 1-0:16.7.0*255, 1_0_1_8_1_255.
OBIS = re.compile(r"(?i)(?:obis[ _.:-]*)?(?:1[-_.]\d{1,3}[:_.])?(\d{1,2})[._](\d)[._](\d{1,2})(?:[*._&]\d{1,3})?")
WORD_LENGTH_MIN = 3
WORDS_MAX = 24


@lru_cache(maxsize=20_000)
def words(key: str) -> tuple[str, ...]:
    """The words of a key as they are spelt, lower case: "TempC_SHT20" -> temp, c, sht20; "pm2_5" -> pm25."""
    if is_unit(key):
        return (key,)
    if (register := OBIS.fullmatch(key)) and (name := naming().obis.get(f"{register[1]}.{register[2]}")):
        return (*name.split(), *((register[3],) if int(register[3]) else ()))
    found: list[str] = []
    start = 0
    for match in ONE_WORD.finditer(key):
        found += PIECE.findall(key[start : match.start()])
        found.append(_particles(match[0]) if match["pm"] else re.sub(r"[^a-z0-9]", "", match[0].lower()))
        start = match.end()
    found += PIECE.findall(key[start:])
    return tuple(word for piece in _units_joined(found[:WORDS_MAX]) for word in _split(piece))


def _particles(text: str) -> str:
    """The word of a particle size: "PM2.5", "pm2_5" and "pm25" are pm25; "pm1_0" is pm1, "pm10" is pm10."""
    digits = re.findall(r"\d+", text)
    return "pm25" if digits[0] in ("2", "25") else f"pm{digits[0]}"


def _units_joined(pieces: list[str]) -> list[str]:
    """Pieces of one unit put together again: k + Wh, m + V, m + 3 + h. The first piece is never part of a unit."""
    result: list[str] = []
    at = 0
    while at < len(pieces):
        for length in (4, 3, 2):
            joined = "".join(pieces[at : at + length])
            if at and at + length <= len(pieces) and len(joined) < 8 and not joined.isdigit() and is_unit(joined):
                break
        else:
            length, joined = 1, pieces[at]
        result.append(joined)
        at += length
    return result


# One letter and a digit are rather a phase, a tariff or a channel than a unit.
NOT_UNITS = frozenset({"1", "/", "t", "d", "g", "s", "m", "h", "l1", "l2", "l3"})


@lru_cache(maxsize=20_000)
def is_unit(text: str) -> bool:
    """Whether a piece of a key may be a unit."""
    return text.casefold() not in NOT_UNITS and not text.isdigit() and units.find(text) is not None


def _split(piece: str) -> tuple[str, ...]:
    """One word, or two known words written together: "soilmoisture"."""
    word, table = piece.casefold(), naming()
    if word in table.known or len(word) < 2 * WORD_LENGTH_MIN or is_unit(piece):
        return (piece if is_unit(piece) else word,)
    for at in range(WORD_LENGTH_MIN, len(word) - WORD_LENGTH_MIN + 1):
        if word[:at] in table.known and word[at:] in table.known:
            return word[:at], word[at:]
    return (word,)
