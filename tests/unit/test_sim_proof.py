"""The tools of demo-check: tallies, screen frames, webhook signatures; the report fails for each reason."""

import base64
import hashlib
import hmac
import math

import numpy as np
import pytest

from simulators.check import Report
from simulators.ledger import Ledger, Note
from simulators.proof.screen import Screen
from simulators.proof.tally import SECOND_BITS, _parse
from simulators.proof.webhook import Receiver


def test_parse_of_a_binary_copy() -> None:
    row = np.dtype([("n", ">i2"), ("l1", ">i4"), ("series", ">i4"), ("l2", ">i4"), ("time", ">f8")])
    table = np.array([(2, 4, 7, 8, 1000.0), (2, 4, 3, 8, 2000.0), (2, 4, 3, 8, 2000.5)], row)
    data = b"PGCOPY\n\xff\r\n\0" + bytes(8) + table.tobytes() + b"\xff\xff"
    expected = [0, (3 << int(SECOND_BITS)) | 2000, (7 << int(SECOND_BITS)) | 1000]
    assert _parse(data).tolist() == expected


def test_screen_reads_snapshot_and_delta() -> None:
    screen = Screen()
    n = 2
    head = np.array([1.0], "<f8").tobytes()
    snapshot = head + np.array([n, 1, 11, 12], "<u4").tobytes() + bytes(16) + bytes(4) + bytes(4)
    screen.take(snapshot + np.array([1.5, 2.5], "<f4").tobytes())
    delta = head + np.array([1, 0, 1], "<u4").tobytes() + bytes(4) + np.array([9.5], "<f4").tobytes()
    screen.take(delta)
    assert [value for value, _ in screen.shown[12]] == [2.5, 9.5]
    assert [value for value, _ in screen.shown[11]] == [1.5]


def test_only_signed_webhooks_count() -> None:
    with Receiver() as receiver:
        check_signatures(receiver)


def check_signatures(receiver: Receiver) -> None:
    body, stamp = b'{"a":1}', "1700000000"
    digest = hmac.new(receiver.secret, b"m1." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    headers = {"webhook-id": "m1", "webhook-timestamp": stamp}
    signature = f"v1,{base64.b64encode(digest).decode()}"
    assert receiver.verify({**headers, "Webhook-Signature": f"v1,xx {signature}"}, body)
    assert not receiver.verify({**headers, "webhook-id": "m2", "webhook-signature": signature}, body)
    assert receiver.delivered == {"m1"}
    assert receiver.refused == 1


@pytest.mark.parametrize("field", ["lost", "duplicated", "faults_planted"])
def test_each_failure_fails_the_check(field: str) -> None:
    assert not Report().failures()
    report = Report(**{field: 1})
    assert len(report.failures()) == 1
    assert report.figures()["stored_ms_p50"] is None
    assert math.isnan(report.stored_ms_p50)


def test_ledger_counts_values() -> None:
    ledger = Ledger(keep=True)
    ledger.acked(Note("a", (1, 2), ("x", "y"), history=True))
    ledger.acked(Note("a", (3,), ("x",)))
    ledger.acked(None)
    assert (ledger.messages, ledger.history_values, ledger.live_values, len(ledger.notes)) == (3, 4, 1, 2)
