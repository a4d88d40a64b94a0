"""XLSX in constant memory: rows are written as XML into a zip that nobody seeks in, sheet after sheet. Pure.

Text stands in the cells themselves and is never a formula; moments are numbers with a format, in the city's time."""

import re
import zipfile
from typing import IO
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from citynet.db import Row
from situation_center.query.export import lines
from situation_center.query.export.drain import Drain
from situation_center.query.export.pieces import Piece

ROWS_MAX = 1_048_575
# Larger parts of a zip need an extension of the format that not every program reads.
SHEET_BYTES_MAX = 1_500_000_000
# Days since 30 December 1899, as spreadsheets count.
ERA_DAYS = 25_569
DAY_US = 86_400_000_000
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
XF = 'fontId="0" fillId="0" borderId="0"'
STYLES = (
    f'{HEAD}<styleSheet xmlns="{MAIN}"><numFmts count="1">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    f'<cellStyleXfs count="1"><xf numFmtId="0" {XF}/></cellStyleXfs><cellXfs count="3"><xf numFmtId="0" {XF} xfId="0"/>'
    f'<xf numFmtId="164" {XF} xfId="0" applyNumberFormat="1"/><xf numFmtId="14" {XF} xfId="0" applyNumberFormat="1"/>'
    '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def text_cell(text: str) -> str:
    """A cell of text, whatever it begins with."""
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(ILLEGAL.sub("", text)[:32_767])}</t></is></c>'


class Xlsx:
    """A workbook; a sheet holds 1,048,575 rows, the next ones go to the next."""

    media_type = f"{KIND}.sheet"
    suffix = "xlsx"

    def __init__(self, step: str, *, language: str, zone: ZoneInfo) -> None:
        self.step, self.language, self.zone = step, language, zone
        self._drain = Drain()
        self._zip = zipfile.ZipFile(self._drain, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._sheets = self._rows = self._bytes = 0
        self._sheet: IO[bytes] | None = None

    def begin(self) -> bytes:
        """The head of the first sheet."""
        self._next_sheet()
        return self._drain.take()

    def _next_sheet(self) -> None:
        self._end_sheet()
        self._sheets, self._rows, self._bytes = self._sheets + 1, 0, 0
        self._sheet = self._zip.open(f"xl/worksheets/sheet{self._sheets}.xml", "w")
        names = "".join(text_cell(name) for name in lines.names(self.step))
        frozen = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        view = f'<sheetViews><sheetView workbookViewId="0">{frozen}</sheetView></sheetViews>'
        width = f"<cols>{_wide(2, 3, 28)}{_wide(7, 7, 20)}</cols>"
        self._write(f'{HEAD}<worksheet xmlns="{MAIN}">{view}{width}<sheetData><row>{names}</row>'.encode())

    def _end_sheet(self) -> None:
        if self._sheet:
            self._write(b"</sheetData></worksheet>")
            self._sheet.close()
            self._sheet = None

    def _write(self, data: bytes) -> None:
        assert self._sheet
        self._sheet.write(data)
        self._bytes += len(data)

    def add(self, piece: Piece) -> bytes:
        """Rows, on the next sheet where this one is full."""
        first = 0
        while first < len(piece):
            if self._rows == ROWS_MAX or self._bytes > SHEET_BYTES_MAX:
                self._next_sheet()
            some = min(len(piece) - first, ROWS_MAX - self._rows)
            self._write(self._xml(piece.part(first, some)))
            self._rows, first = self._rows + some, first + some
        return self._drain.take()

    def _xml(self, piece: Piece) -> bytes:
        style = "2" if self.step in ("day", "month") else "1"
        cells = [_cells(values) for _, values in lines.figures(piece)]
        moments = pc.binary_join_element_wise(f'<c s="{style}"><v>', lines.numbers(self._serial(piece)), "</v></c>", "")
        return lines.joined([lines.beginnings(piece, self._words), moments, *cells], between="", end="</row>")

    def _words(self, row: Row) -> str:
        number, *words = lines.words(row, self.language)
        return f"<row><c><v>{number}</v></c>" + "".join(text_cell(word) for word in words)

    def _serial(self, piece: Piece) -> np.ndarray:
        at = piece.columns["time"]
        if self.step in ("day", "month"):
            return at + ERA_DAYS
        return lines.local(at, self.zone) / DAY_US + ERA_DAYS

    def end(self) -> bytes:
        """The rest of the last sheet, and what names the sheets."""
        self._end_sheet()
        numbers = range(1, self._sheets + 1)
        self._zip.writestr("xl/styles.xml", STYLES)
        sheets = "".join(f'<sheet name="{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
        self._zip.writestr(
            "xl/workbook.xml", f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{sheets}</sheets></workbook>'
        )
        links = [(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
        self._zip.writestr("xl/_rels/workbook.xml.rels", _links([*links, ("styles", "styles", "styles.xml")]))
        self._zip.writestr("_rels/.rels", _links([("rId1", "officeDocument", "xl/workbook.xml")]))
        kinds = {"workbook": "sheet.main", "styles": "styles", **{f"worksheets/sheet{n}": "worksheet" for n in numbers}}
        parts = "".join(f'<Override PartName="/xl/{p}.xml" ContentType="{KIND}.{k}+xml"/>' for p, k in kinds.items())
        default = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        default += '<Default Extension="xml" ContentType="application/xml"/>'
        self._zip.writestr(
            "[Content_Types].xml", f'{HEAD}<Types xmlns="{PACKAGE}/content-types">{default}{parts}</Types>'
        )
        self._zip.close()
        return self._drain.take()


def _wide(first: int, last: int, width: int) -> str:
    return f'<col min="{first}" max="{last}" width="{width}" customWidth="1"/>'


def _cells(values: np.ndarray) -> pa.Array:
    """Cells of numbers; empty ones where nothing is known."""
    cells = pc.binary_join_element_wise("<c><v>", lines.numbers(values), "</v></c>", "")
    return pc.fill_null(cells, "<c/>")


def _links(found: list[tuple[str, str, str]]) -> str:
    links = "".join(f'<Relationship Id="{i}" Type="{OFFICE}/{kind}" Target="{to}"/>' for i, kind, to in found)
    return f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>'
