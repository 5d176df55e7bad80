"""Scores that nobody computed, for tests of tables and reports."""

from __future__ import annotations

from collections.abc import Mapping

from faceloom.evaluate.benchmark.export import RunRecord
from faceloom.evaluate.item import SetScores
from faceloom.evaluate.metrics.registry import chosen
from faceloom.evaluate.report.data import Results, Row
from faceloom.types import Attribute

EYES, MOUTH = Attribute.EYES, Attribute.MOUTH


def row(method: str, part: Attribute, target: int, **values: float | None) -> Row:
    return Row(method, part, f"t{target:03d}", f"{part}-001", values, 2.0, {"flow": "DIS medium"})


def fabricated_results(unsupported: Mapping[str, tuple[Attribute, ...]] | None = None) -> Results:
    """Two methods, two clips: mouth of both clips, eyes of the first."""
    rows = [
        row("a", MOUTH, 1, e_warp=1.0, identity_outside=0.9),
        row("a", MOUTH, 2, e_warp=3.0, identity_outside=0.9),
        row("a", EYES, 1, e_warp=6.0, identity_outside=0.8),
        row("b", MOUTH, 1, e_warp=3.0, identity_outside=0.9),
        row("b", MOUTH, 2, e_warp=5.0, identity_outside=0.7),
        row("b", EYES, 1, e_warp=2.0, identity_outside=0.7),
    ]
    lacking = unsupported or {}
    rows = [one for one in rows if one.part not in lacking.get(one.method, ())]
    run = RunRecord(
        benchmark="c" * 64, size=256, seed=7, parts=(EYES, MOUTH), methods=("a", "b"), unsupported=dict(lacking),
        references=1, limit=None, machine={"processor": "Abacus", "cores": 3, "memory_gib": 8.0, "gpus": []},
        commit="abc123", versions={"faceloom": "9.9"}, weights={"yunet": "d" * 64},
    )  # fmt: skip
    warning = "4 samples are few"
    sets = {
        ("a", None): SetScores({"fvd": 20.0}, {}, {"fvd": warning}, {"fvd": 4}),
        ("b", None): SetScores({"fvd": 10.0}, {}, {"fvd": warning}, {"fvd": 4}),
    }
    metrics = chosen(["e_warp", "fvd", "identity_outside", "clip_i"])
    return Results(
        run, metrics, rows, [("b", "t003.mouth-001", "no face was found")], {"clip_i": "n/a (needs clip-vit-l14)"},
        sets, "dis", {"sface": "e" * 64},
    )  # fmt: skip
