"""The sheet of labels for installers: name, identifier and a QR code that opens the page of acceptance. Pure HTML."""

from collections.abc import Iterator
from html import escape
from urllib.parse import quote

import segno

from situation_center.views.rows import RegistryRow
from situation_center.wording import say

STYLE = (
    "body{font:11px/1.3 'Noto Sans','DejaVu Sans',sans-serif;margin:8mm;color:#000;background:#fff}"
    "main{display:grid;grid-template-columns:repeat(3,1fr);gap:4mm}"
    "article{display:grid;grid-template-columns:24mm 1fr;gap:3mm;padding:2mm;border:1px dashed #999;break-inside:avoid}"
    "svg{width:24mm;height:24mm}b{font-size:12px}"
    "code{font:12px/1.4 'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}"
    "p{margin:0;overflow-wrap:anywhere}@media print{header{display:none}}@page{margin:8mm}"
)


def address(base_url: str, external_id: str) -> str:
    """The page that the code opens."""
    return f"{base_url}/install/{quote(external_id, safe='')}"


def sheet(rows: list[RegistryRow], *, base_url: str, language: str) -> Iterator[str]:
    """An HTML page with a label for each device of the rows, three in a line, to be printed by the browser."""
    title = escape(say(language, "registry.labels"))
    hint = escape(say(language, "registry.labels_help"))
    yield f'<!DOCTYPE html><html lang="{language}"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    yield f"<header><h1>{title}</h1><p>{hint}</p></header><main>"
    for row in rows:
        if row["external_id"]:
            yield _label(row, base_url, language)
    yield "</main></html>"


def _label(row: RegistryRow, base_url: str, language: str) -> str:
    external_id = str(row["external_id"])
    link = address(base_url, external_id)
    code = segno.make(link, error="m", micro=False).svg_inline(omitsize=True, border=1)
    name = row["name_ru"] if language == "ru" else row["name_en"]
    lines = [
        f"<b>{escape(name)}</b>",
        f"<code>{escape(external_id)}</code>",
        escape(row["address"]),
        escape(row["key"]),
    ]
    text = "".join(f"<p>{line}</p>" for line in lines if line)
    return f"<article>{code}<div>{text}<p>{escape(link)}</p></div></article>"
