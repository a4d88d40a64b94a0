"""The report of an import as a file that people open in a spreadsheet. Called by the API and the command line."""

import csv
import io
from collections.abc import Iterator

from situation_center.reference.columns import Reject
from situation_center.reference.table import guard
from situation_center.wording import say, word

REPORT_PIECE = 1_000


def report_lines(faults: list[Reject], language: str) -> Iterator[bytes]:
    """The report of an import as CSV, in pieces: line, column, reason, value, meaning."""
    head = [say(language, f"registry.report_{name}") for name in ("line", "column", "reason", "value", "meaning")]
    yield "\ufeff".encode() + _csv([head])
    for start in range(0, len(faults), REPORT_PIECE):
        yield _csv([_fault(f, language) for f in faults[start : start + REPORT_PIECE]])


def _fault(fault: Reject, language: str) -> list[str]:
    return [
        str(fault.line),
        fault.name,
        fault.reason,
        guard(fault.value),
        word(language, "import_reason", fault.reason),
    ]


def _csv(lines: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()
