"""Push messages of power meters: DLMS data-notification in HDLC, wrapper or bare, plain or AES-GCM; OBIS -> numbers."""

from typing import Any

from citynet.catalog import Profile
from citynet.errors import BadInput
from gateway.devices import LANGUAGES, Attributes, Example, Language, Values
from gateway.devices.axdr import Reader
from gateway.devices.dlms_apdu import NOTIFICATION, apdu_of, opened
from gateway.devices.dlms_values import by_code


def _body(apdu: bytes) -> Any:
    """The data of a data-notification."""
    reader = Reader(apdu)
    if reader.take(1)[0] != NOTIFICATION:
        raise BadInput("unsupported", f"APDU {apdu[:1].hex()}")
    reader.take(4)
    size = reader.take(1)[0]
    if size == 9:  # some meters write the moment as a tagged octet string
        size = reader.take(1)[0]
    reader.take(size)
    body = reader.value()
    if reader.at != len(apdu):
        raise BadInput("wrong_length", f"{len(apdu) - reader.at} bytes after the data")
    return body


def decode(data: bytes, f_port: int, *, attributes: Attributes, profile: Profile | None) -> Values:
    """Numbers by OBIS code, in the unit that the meter says (W, W.h, V, A, var ..) after its scaler."""
    if not data:
        raise BadInput("wrong_length", "no bytes")
    return by_code(_body(opened(apdu_of(data), attributes)), profile)


# The open customer interface of Norwegian meters (NEK HAN), as the makers document it.
LIST_1 = "7EA02A410883130413E6E7000F40000000000101020309060100010700FF060000020002020F00161BC12C7E"
KAMSTRUP = (
    "7EA0E22B2113239AE6E7000F000000000C07E6011801123A32FF80000002190A0E4B616D73747275705F563030303109060101000005FF"
    "0A103537303635363733323635393034303709060101600101FF0A1236383431313338424E32343531303130393009060101010700FF"
    "060000033A09060101020700FF060000000009060101030700FF060000006809060101040700FF06000000B0090601011F0700FF0600"
    "0000ED09060101330700FF060000005909060101470700FF060000004B09060101200700FF1200E809060101340700FF1200E9090601"
    "01480700FF1200EC84467E"
)
PAIRS = {"1.7": 826.0, "2.7": 0.0, "3.7": 104.0, "4.7": 176.0, "31.7": 237.0, "51.7": 89.0, "71.7": 75.0}
PAIRS |= {"32.7": 232.0, "52.7": 233.0, "72.7": 236.0}
KAIFA = "7EA027010201105A87E6E7000F40000000090C07E60A1007150012FF80000002010600000D5FA12E7E"
BY_ORDER = {"name": "kaifa", "class": "power_meter", "map": {}, "language": "dlms", "objects": [["1-0:1.7.0"]]}

LANGUAGES.register("dlms")(
    Language(
        decode=decode,
        examples=(
            Example("Aidon list 1: code, value, scaler and unit", bytes.fromhex(LIST_1), {"1-0:1.7.0": 512.0}),
            Example(
                "Kamstrup list: code and value in turn",
                bytes.fromhex(KAMSTRUP),
                {f"1-1:{name}.0": value for name, value in PAIRS.items()},
            ),
            Example("Kaifa list 1: values alone", bytes.fromhex(KAIFA), {"1-0:1.7.0": 3423.0}, profile=BY_ORDER),
        ),
    )
)
