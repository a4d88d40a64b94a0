"""Keys of meters: what opens, what does not, and that no key is ever told."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from citynet.errors import BadInput
from gateway import own_devices
from gateway.devices import languages
from gateway.devices.dlms import KAMSTRUP, LIST_1
from gateway.devices.dlms_apdu import apdu_of, opened
from gateway.devices.wmbus import OMS_GAS, OMS_KEY


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({}, "no_key"),
        ({"key": ""}, "no_key"),
        ({"key": "00" * 16}, "wrong_key"),
        ({"key": "00" * 15}, "wrong_key"),
        ({"key": "not a key at all"}, "wrong_key"),
        ({"key": 17}, "wrong_key"),
    ],
)
def test_a_key_that_does_not_open_is_a_reason_and_is_not_told(attributes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadInput) as caught:
        languages()["wmbus"].codec(attributes, None).decode(bytes.fromhex(OMS_GAS), 0)
    assert caught.value.reason == reason
    assert not any(str(value) in str(caught.value) for value in attributes.values() if value)


def test_the_key_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "meter-17").write_text(OMS_KEY["key"] + "\n")
    assert own_devices.with_secrets({"key": "secret:meter-17", "n": 1}, tmp_path) == {**OMS_KEY, "n": 1}
    for name in ("secret:other", "secret:../secrets/meter-17", "secret:"):
        assert own_devices.with_secrets({"key": name}, tmp_path) == {"key": None}


# The Green Book (DLMS UA 1000-2), AES-GCM-128 of a protected APDU.
TITLE, COUNTER = bytes.fromhex("4D4D4D0000BC614E"), bytes.fromhex("01234567")
KEYS = {"key": "000102030405060708090A0B0C0D0E0F", "auth_key": "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"}
PLAIN = bytes.fromhex("01011000112233445566778899AABBCCDDEEFF0000065F1F0400007E1F04B0")
SEALED = bytes.fromhex("801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855")


def ciphered(control: int, cipher: bytes) -> bytes:
    body = bytes([control]) + COUNTER + cipher
    return b"\xdb\x08" + TITLE + bytes([len(body)]) + body


def test_a_ciphered_message_of_the_green_book_opens() -> None:
    assert opened(ciphered(0x30, SEALED), KEYS) == PLAIN


def test_an_encrypted_push_opens_and_a_wrong_key_is_a_reason() -> None:
    plain = apdu_of(bytes.fromhex(LIST_1))
    key = bytes.fromhex(KEYS["key"])
    cipher = Cipher(algorithms.AES(key), modes.CTR(TITLE + COUNTER + b"\0\0\0\2")).encryptor().update(plain)
    reader = languages()["dlms"]
    assert reader.codec(KEYS, None).decode(ciphered(0x20, cipher), 0) == {"1-0:1.7.0": 512.0}
    with pytest.raises(BadInput, match="wrong_key"):
        reader.codec({"key": "FF" * 16}, None).decode(ciphered(0x20, cipher), 0)
    sealer = Cipher(algorithms.AES(key), modes.GCM(TITLE + COUNTER)).encryptor()
    sealer.authenticate_additional_data(b"\x30" + bytes.fromhex(KEYS["auth_key"]))
    sealed = sealer.update(plain) + sealer.finalize() + sealer.tag[:12]
    assert reader.codec(KEYS, None).decode(ciphered(0x30, sealed), 0) == {"1-0:1.7.0": 512.0}
    with pytest.raises(BadInput, match="wrong_key"):
        reader.codec(KEYS, None).decode(ciphered(0x30, sealed[:-1] + b"\0"), 0)


def test_a_damaged_frame_is_known_by_its_check_sum() -> None:
    frame = bytearray.fromhex(KAMSTRUP)
    frame[60] ^= 1
    with pytest.raises(BadInput, match="bad_crc"):
        apdu_of(bytes(frame))
