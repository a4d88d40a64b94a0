"""The APDU of a DLMS message: out of HDLC frames or a wrapper, and out of its ciphering. Used by dlms.py."""

from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from citynet.errors import BadInput
from gateway.devices import Attributes, secret
from gateway.devices.axdr import Reader
from gateway.devices.hdlc import hdlc

LLC = (b"\xe6\xe7\x00", b"\xe6\xe6\x00")
NOTIFICATION, GLOBAL_CIPHER = 0x0F, 0xDB
AUTHENTICATED, ENCRYPTED, TAG_BYTES = 0x10, 0x20, 12
FRAMES_MAX = 32


def apdu_of(data: bytes) -> bytes:
    """The APDU inside of one or more HDLC frames, of a TCP wrapper, or as it came."""
    if data[:1] == b"\x7e":
        parts = [hdlc(frame) for frame in _frames(data)]
        if not parts:
            raise BadInput("bad_frame", "one HDLC flag is no frame")
        if parts[-1].segmented:
            raise BadInput("wrong_length", "the last segment of the message is missing")
        data = b"".join(part.information for part in parts)
    elif data[:2] == b"\x00\x01" and len(data) > 8:
        if int.from_bytes(data[6:8], "big") != len(data) - 8:
            raise BadInput("wrong_length", "the wrapper announces another length")
        data = data[8:]
    return data[3:] if data[:3] in LLC else data


def _frames(data: bytes) -> Iterator[bytes]:
    """Frames one after the other; neighbours may share a flag."""
    at = 0
    for _ in range(FRAMES_MAX):
        if at >= len(data) - 1:
            return
        if data[at] != 0x7E or at + 3 > len(data):
            raise BadInput("bad_frame", "no HDLC flag")
        at += 1 if data[at + 1] == 0x7E else 0
        size = (data[at + 1] << 8 | data[at + 2]) & 0x7FF if at + 3 <= len(data) else 0
        if size < 7:
            raise BadInput("bad_frame", "the frame is too short")
        yield data[at : at + size + 2]
        at += size + 2 if data[at + size + 2 : at + size + 3] == b"\x7e" else size + 1
    raise BadInput("bad_frame", f"more than {FRAMES_MAX} frames")


def opened(apdu: bytes, attributes: Attributes) -> bytes:
    """The plain APDU; general-glo-ciphering is opened with the attributes key and auth_key of the device."""
    if apdu[:1] != bytes([GLOBAL_CIPHER]):
        return apdu
    reader = Reader(apdu[1:])
    title = reader.take(reader.length())
    body = Reader(reader.take(reader.length()))
    control, counter = body.take(1)[0], body.take(4)
    cipher = body.take(len(body.data) - 5)
    if len(title) != 8 or control & 0x0F or not control & ENCRYPTED or control & 0x80:
        raise BadInput("unsupported", f"security control {control:02x}")
    key = secret(attributes, "key")
    if control & AUTHENTICATED:
        return _authentic(cipher, key, vector=title + counter, more=bytes([control]) + secret(attributes, "auth_key"))
    plain = Cipher(algorithms.AES(key), modes.CTR(title + counter + b"\0\0\0\2")).decryptor().update(cipher)
    if plain[:1] != bytes([NOTIFICATION]):
        raise BadInput("wrong_key", "the message does not open with the key of the device")
    return plain


def _authentic(cipher: bytes, key: bytes, *, vector: bytes, more: bytes) -> bytes:
    """AES-GCM with a tag of 12 bytes, which the library's simple class does not take."""
    if len(cipher) <= TAG_BYTES:
        raise BadInput("wrong_length", "no room for the authentication tag")
    mode = modes.GCM(vector, cipher[-TAG_BYTES:], min_tag_length=TAG_BYTES)
    decryptor = Cipher(algorithms.AES(key), mode).decryptor()
    decryptor.authenticate_additional_data(more)
    plain = decryptor.update(cipher[:-TAG_BYTES])
    try:
        return plain + decryptor.finalize()
    except InvalidTag as error:
        raise BadInput("wrong_key", "the message does not open with the keys of the device") from error
