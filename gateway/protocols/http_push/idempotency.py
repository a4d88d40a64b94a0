"""Message ids from an Idempotency-Key: the broker stores a request that is repeated once. Pure; used by app.py."""

import hashlib

from gateway.protocols.http_push.intake import Out
from gateway.protocols.http_push.problems import Refused

KEY_CHARS_MAX = 200


def message_ids(credential_id: int, key: str, frames: list[Out]) -> list[str]:
    """One id a frame, so that the broker stores a repeated request once; none without a key. Raises Refused.

    The body is part of it: a key that is used again for other data must not cost that data.
    """
    if len(key) > KEY_CHARS_MAX:
        raise Refused(422, "bad_key", f"Idempotency-Key is longer than {KEY_CHARS_MAX}")
    if not key:
        return [""] * len(frames)
    start = hashlib.blake2b(f"{credential_id}\n{key}\n".encode(), digest_size=16)
    ids = []
    for number, frame in enumerate(frames):
        one = start.copy()
        one.update(f"{number} {frame.subject}\n".encode() + frame.data)
        ids.append(f"push-{one.hexdigest()}")
    return ids
