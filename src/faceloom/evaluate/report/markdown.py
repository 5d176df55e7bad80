"""A document as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from faceloom.evaluate.report.document import Document
from faceloom.evaluate.report.tables import Cell, Table


def to_markdown(document: Document) -> str:
    """The document with pictures as links to files beside it."""
    return "\n".join(_lines(document)).rstrip() + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield f"# {document.title}"
    for text in document.opening:
        yield f"\n{text}"
    for section in document.sections:
        yield f"\n## {section.title}"
        for text in section.paragraphs:
            yield f"\n{text}"
        for table in section.tables:
            yield from _table(table)
        for picture in section.pictures:
            yield f"\n![{picture.caption}]({picture.file})\n\n{picture.caption}"


def _table(table: Table) -> Iterator[str]:
    if table.title:
        yield f"\n### {table.title}"
    if table.note:
        yield f"\n{table.note}"
    yield f"\n| | {' | '.join(_safe(head) for head in table.heads)} |"
    yield f"|---|{'---|' * len(table.heads)}"
    for name, cells in table.rows:
        yield f"| {_safe(name)} | {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(cell: Cell) -> str:
    text = _safe(cell.text)
    return f"**{text}**" if cell.rank == 1 else f"<u>{text}</u>" if cell.rank == 2 else text


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("_", "\\_")
