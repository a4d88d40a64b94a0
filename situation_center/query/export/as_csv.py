"""CSV: plain (comma, point, UTC) for programs, or as a spreadsheet in Russia opens it by a double click. Pure."""

import csv
import io
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from citynet.db import Row
from situation_center.query.export import lines
from situation_center.query.export.pieces import Piece
from situation_center.reference.table import guard

END = "\r\n"


class Csv:
    """Plain: UTF-8, commas, decimal points, UTC. Excel: a mark, semicolons, decimal commas, the city's time."""

    media_type = "text/csv; charset=utf-8"
    suffix = "csv"

    def __init__(self, step: str, *, language: str, zone: ZoneInfo, excel: bool) -> None:
        self.step, self.language, self.zone, self.excel = step, language, zone, excel
        self.separator = ";" if excel else ","

    def begin(self) -> bytes:
        """The mark of UTF-8 and the names of the columns."""
        return ("\ufeff" if self.excel else "").encode() + (self._line(list(lines.names(self.step))) + END).encode()

    def _line(self, cells: list[str]) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=self.separator, lineterminator="").writerow(guard(cell) for cell in cells)
        return text.getvalue()

    def _words(self, row: Row) -> str:
        return self._line(lines.words(row, self.language))

    def add(self, piece: Piece) -> bytes:
        """Rows."""
        figures = [lines.numbers(values) for _, values in lines.figures(piece)]
        if self.excel:
            figures = [pc.replace_substring(text, ".", ",") for text in figures]
        columns = [lines.beginnings(piece, self._words), self._times(piece), *figures]
        return lines.joined(columns, between=self.separator, end=END)

    def end(self) -> bytes:
        """Nothing more."""
        return b""

    def _times(self, piece: Piece) -> pa.Array:
        at = piece.columns["time"]
        if self.step in ("day", "month"):
            days = pa.array(at.astype("datetime64[D]"))
            return pc.strftime(days, format="%d.%m.%Y") if self.excel else pc.cast(days, pa.string())
        if self.excel:
            at = lines.local(at, self.zone)
        # Fractions of a second only where there are any.
        unit = "s" if not (at % 1_000_000).any() else "ms" if not (at % 1_000).any() else "us"
        moments = pa.array(at.astype("datetime64[us]").astype(f"datetime64[{unit}]"))
        return pc.strftime(moments, format="%d.%m.%Y %H:%M:%S" if self.excel else "%Y-%m-%dT%H:%M:%SZ")
