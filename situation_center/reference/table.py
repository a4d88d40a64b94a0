"""Reads a table from a CSV or XLSX file row by row: encoding and separator are found out and said. No database here."""

import csv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from citynet.errors import BadInput

FILE_BYTES_MAX = 100_000_000
UNPACKED_BYTES_MAX = 2_000_000_000
ROWS_MAX = 500_000
COLUMNS_MAX = 300
CELL_MAX = 1_000_000  # a district's outline in one cell
SEPARATORS = (";", ",", "\t")
Cells = list[str]


@dataclass(frozen=True)
class Table:
    """What a file is: kind csv or xlsx, how it is written, its columns. rows() can be walked again and again."""

    path: Path
    kind: str
    encoding: str
    separator: str
    columns: Cells

    def rows(self) -> Iterator[tuple[int, Cells]]:
        """Line number (the header is line 1) and cells as text. Raises BadInput for a file that breaks off."""
        lines = _csv_rows(self) if self.kind == "csv" else _xlsx_rows(self.path)
        for number, cells in lines:
            if number > 1 and any(cells):
                if number > ROWS_MAX + 1:
                    raise BadInput("too_many_rows", f"more than {ROWS_MAX}: divide the file")
                yield number, cells


def open_table(path: Path) -> Table:
    """Find out what a file is. Raises BadInput: not_a_table, unknown_encoding, too_large."""
    if path.stat().st_size > FILE_BYTES_MAX:
        raise BadInput("too_large", f"more than {FILE_BYTES_MAX // 1_000_000} MB: divide the file")
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PK"):
        return _open_xlsx(path)
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise BadInput("not_a_table", "an old Excel file: save it as .xlsx or CSV")
    return _open_csv(path)


def _open_csv(path: Path) -> Table:
    encoding = encoding_of(path)
    with path.open(encoding=encoding, newline="") as file:
        head = file.readline(CELL_MAX)
    if not head.strip():
        raise BadInput("not_a_table", "the first line is empty: it must name the columns")
    separator = max(SEPARATORS, key=lambda s: len(next(csv.reader([head], delimiter=s))))
    columns = [c.strip() for c in next(csv.reader([head], delimiter=separator))]
    return _table(Table(path, "csv", encoding, separator, columns))


def _table(table: Table) -> Table:
    if len(table.columns) > COLUMNS_MAX:
        raise BadInput("not_a_table", f"more than {COLUMNS_MAX} columns")
    return table


def encoding_of(path: Path) -> str:
    """utf-8-sig, utf-16 by its mark, utf-8 where all bytes fit, else cp1251. Raises BadInput (unknown_encoding)."""
    with path.open("rb") as file:
        mark = file.read(4)
    if mark.startswith(b"\xef\xbb\xbf"):
        candidates = ["utf-8-sig"]
    elif mark.startswith((b"\xff\xfe", b"\xfe\xff")):
        candidates = ["utf-16"]
    else:
        candidates = ["utf-8", "cp1251"]
    for name in candidates:
        if _fits(path, name):
            return name
    raise BadInput("unknown_encoding", "neither UTF-8 nor Windows-1251: save the file as UTF-8")


def _fits(path: Path, encoding: str) -> bool:
    try:
        with path.open(encoding=encoding, newline="") as file:
            while file.read(1 << 20):
                pass
    except UnicodeError:
        return False
    return True


def _csv_rows(table: Table) -> Iterator[tuple[int, Cells]]:
    csv.field_size_limit(CELL_MAX)
    with table.path.open(encoding=table.encoding, newline="") as file:
        try:
            for number, cells in enumerate(csv.reader(file, delimiter=table.separator), 1):
                yield number, [_plain(c) for c in cells]
        except csv.Error as error:
            raise BadInput("not_a_table", f"the file breaks off: {error}") from error


FORMULA = tuple("=+-@\t")


def _plain(cell: str) -> str:
    """Without blanks at the ends, and without the apostrophe that keeps a spreadsheet from computing."""
    cell = cell.strip()
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'").startswith(FORMULA) else cell


def guard(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; reading takes the apostrophe off again."""
    return f"'{cell}" if cell.lstrip("'").startswith(FORMULA) and not _number(cell) else cell


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _open_xlsx(path: Path) -> Table:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > UNPACKED_BYTES_MAX:
                raise BadInput("too_large", "the workbook unpacks to more than 2 GB")
        columns = next((cells for _, cells in _xlsx_rows(path)), [])
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise BadInput("not_a_table", f"not a workbook that can be read: {str(error)[:100]}") from error
    while columns and not columns[-1]:
        columns.pop()
    if not columns:
        raise BadInput("not_a_table", "the first line of the first sheet is empty: it must name the columns")
    return _table(Table(path, "xlsx", "xlsx", "", columns))


def _xlsx_rows(path: Path) -> Iterator[tuple[int, Cells]]:
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what other programs write there is often wrong
        for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
            yield number, [_cell(value) for value in row]
    finally:
        book.close()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value).strip()
