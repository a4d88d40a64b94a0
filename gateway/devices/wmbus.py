"""M-Bus telegrams as OMS meters send them: wireless (EN 13757-4, with or without CRC) and wired; AES mode 5."""

import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from citynet.catalog import Profile
from citynet.errors import BadInput
from gateway.devices import LANGUAGES, Attributes, Example, Language, Values, secret
from gateway.devices.mbus_records import records
from gateway.devices.wmbus_link import Telegram, wired, wireless

BLOCK = 16
NO_HEADER, SHORT_HEADER, LONG_HEADER = 0x78, 0x7A, 0x72
POWER_LOW, PERMANENT, TEMPORARY = 4, 8, 16


def opened(telegram: Telegram, attributes: Attributes) -> tuple[int, bytes]:
    """Status byte and plain records. Raises BadInput (unsupported, no_key, wrong_key)."""
    address, body = telegram.address, telegram.body
    if telegram.control == NO_HEADER:
        return 0, body
    if telegram.control == LONG_HEADER:
        if len(body) < 12:
            raise BadInput("wrong_length", "the header is cut")
        address, body = body[4:6] + body[0:4] + body[6:8], body[8:]
    elif telegram.control != SHORT_HEADER:
        raise BadInput("unsupported", f"CI field {telegram.control:02x}")
    if len(body) < 4:
        raise BadInput("wrong_length", "the header is cut")
    access, status, word = struct.unpack_from("<BBH", body)
    mode = word >> 8 & 0x1F
    if mode == 0:
        return status, body[4:]
    if mode != 5:
        raise BadInput("unsupported", f"security mode {mode}")
    key = secret(attributes, "key")
    return status, _decrypted(body[4:], key, size=(word >> 4 & 0x0F) * BLOCK, vector=address + bytes([access]) * 8)


def _decrypted(body: bytes, key: bytes, *, size: int, vector: bytes) -> bytes:
    if len(body) < size or len(vector) != BLOCK:
        raise BadInput("wrong_length", "the encrypted part is cut")
    cipher = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    plain = cipher.update(body[:size]) + cipher.finalize()
    if size and plain[:2] != b"\x2f\x2f":
        raise BadInput("wrong_key", "the telegram does not open with the key of the device")
    return plain + body[size:]


def decode(data: bytes, f_port: int, *, attributes: Attributes, profile: Profile | None) -> Values:
    """Values of a telegram by name, and battery_low, permanent_error, temporary_error from its status."""
    if not data:
        raise BadInput("wrong_length", "no bytes")
    telegram = wired(data) if data[0] == 0x68 and len(data) > 3 and data[3] == 0x68 else wireless(data)
    status, plain = opened(telegram, attributes)
    flags = {"battery_low": POWER_LOW, "permanent_error": PERMANENT, "temporary_error": TEMPORARY}
    return records(plain) | {name: float(bool(status & bit)) for name, bit in flags.items()}


GOOD = {"battery_low": 0.0, "permanent_error": 0.0, "temporary_error": 0.0}
OMS_KEY = {"key": "0102030405060708090A0B0C0D0E0F11"}
OMS_GAS = "2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3"
OMS_GAS_CRC = (
    "2E44931578563412330333637A2A0020255923C95AAA26D1B2E7493BC2AD013EC4A6F6D3529B520EDFF0EA6DEFC955B29D6D69EBF3EC8A"
)
GAS = {"volume": 28_504.27, "error_flags": 0.0}
WIRED = "681F1F680802727856341224400107550000000313153100DA023B13018B60043718021816"
WATER = {"volume": 12.565, "volume_flow_max_s5": 0.113, "energy_t2_u1": 218.37}

LANGUAGES.register("wmbus")(
    Language(
        decode=decode,
        examples=(
            Example("OMS volume 2 annex N.2.1, mode 5", bytes.fromhex(OMS_GAS), GAS | GOOD, OMS_KEY),
            Example("the same with the CRC of frame format A", bytes.fromhex(OMS_GAS_CRC), GAS | GOOD, OMS_KEY),
            Example("EN 13757-3, long frame of wired M-Bus", bytes.fromhex(WIRED), WATER | GOOD),
        ),
    )
)
