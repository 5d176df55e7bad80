"""``faceloom doctor``: what this installation is, what it will really use, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from faceloom import __version__
from faceloom.serve import show
from faceloom.serve.checks import Finding, State, diagnose
from faceloom.weights import Store

_MARKS = {State.OK: "[green]ok[/]    ", State.NOTE: "[yellow]note[/]  ", State.BROKEN: "[bold red]broken[/]"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check the installation; exits with 1 when something that edits need is broken."""
    findings: list[Finding] = []
    if not as_json:
        show.out.print(f"faceloom {__version__}")
    for finding in diagnose(Store()):
        if not as_json:
            _print(finding, new_group=not findings or findings[-1].group != finding.group)
        findings.append(finding)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    broken = [finding.name for finding in findings if finding.state is State.BROKEN]
    if broken:
        show.error(f"broken: {', '.join(broken)}; see above for what to do")
        raise typer.Exit(1)


def _print(finding: Finding, new_group: bool) -> None:
    if new_group:
        show.out.print(f"\n[bold]{finding.group}[/]")
    show.out.print(f"  {_MARKS[finding.state]} {finding.name + ':':<28}{escape(finding.text)}")
