"""A document as one HTML page that needs nothing beside it: pictures are inside."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from pathlib import Path

from faceloom.evaluate.report.document import Document, Picture
from faceloom.evaluate.report.tables import Cell, Table

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#181818;background:#fafaf8;max-width:76rem;margin:2rem auto}
body{padding:0 1rem}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}
.wide{overflow-x:auto}
table{border-collapse:collapse;margin:.5rem 0 1rem;font-size:14px}
th,td{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
td.text{text-align:left;white-space:normal;overflow-wrap:anywhere}
td.absent{color:#888;font-style:italic;white-space:normal}
figure{display:inline-block;margin:.5rem 1rem .5rem 0;vertical-align:top}
figure img{max-width:100%}
figcaption{color:#555;font-size:13px;max-width:44rem}
p.note{color:#555}
"""
_MIME = {".png": "image/png", ".jpg": "image/jpeg"}


def to_page(document: Document, folder: Path) -> str:
    """The document as HTML; pictures are read from ``folder`` and embedded."""
    body = "\n".join(_body(document, folder))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(document.title)}</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _body(document: Document, folder: Path) -> Iterator[str]:
    yield f"<h1>{escape(document.title)}</h1>"
    for text in document.opening:
        yield f"<p>{escape(text)}</p>"
    for section in document.sections:
        yield f"<h2>{escape(section.title)}</h2>"
        for text in section.paragraphs:
            yield f"<p>{escape(text)}</p>"
        for table in section.tables:
            yield from _table(table)
        for picture in section.pictures:
            yield _figure(picture, folder)


def _table(table: Table) -> Iterator[str]:
    if table.title:
        yield f"<h3>{escape(table.title)}</h3>"
    if table.note:
        yield f'<p class="note">{escape(table.note)}</p>'
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    yield f'<div class="wide"><table><thead><tr><th></th>{heads}</tr></thead><tbody>'
    for name, cells in table.rows:
        yield f"<tr><td>{escape(name)}</td>{''.join(_cell(cell) for cell in cells)}</tr>"
    yield "</tbody></table></div>"


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.text.startswith("n/a"):
        return f'<td class="absent">{text}</td>'
    if cell.rank:
        return f"<td><b>{text}</b></td>" if cell.rank == 1 else f"<td><u>{text}</u></td>"
    plain = cell.text.lstrip("-–").replace(".", "", 1)[:1]
    return f"<td>{text}</td>" if plain.isdecimal() or not plain else f'<td class="text">{text}</td>'


def _figure(picture: Picture, folder: Path) -> str:
    file = folder / picture.file
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    caption = escape(picture.caption)
    source = f"data:{_MIME[file.suffix]};base64,{data}"
    return f'<figure><img alt="{caption}" src="{source}"><figcaption>{caption}</figcaption></figure>'
