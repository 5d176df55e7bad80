"""``faceloom methods``: what is installed and what it can take, from the methods' own declarations."""

from __future__ import annotations

from rich.table import Table

from faceloom.methods.contract import installed, retouches
from faceloom.serve import show
from faceloom.types import Attribute


def methods() -> None:
    """List the editing methods, what each can take, and which weights it needs."""
    table = Table("method", "takes", "needs", "what it does", show_lines=True)
    for name, method in installed().items():
        takes = ", ".join(attribute.value for attribute in Attribute if attribute in method.takes)
        takes = takes or ("nothing: it retouches" if retouches(method) else "")
        status = getattr(method, "status", None)
        what = method.summary if status is None else f"{method.summary}; {status()}"
        table.add_row(name, takes, ", ".join(method.needs) or "nothing more", what)
    show.out.print(table)
