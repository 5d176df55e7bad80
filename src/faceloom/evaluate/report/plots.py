"""Plots of a report: metric against metric, and warping error frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from faceloom.errors import FaceloomError
from faceloom.evaluate.report.data import Results, Row
from faceloom.evaluate.report.document import Picture
from faceloom.evaluate.report.tables import head, macro_mean, mean

FOLDER = "plots"
_AGAINST = (
    ("e_warp_part", "clip_i"),
    ("e_warp_part", "vgg_i"),
    ("e_warp", "identity_outside"),
    ("pose_error", "expression_error"),
    ("flicker", "identity_reference"),
    ("lpips_background", "vgg_i"),
)
_MOST_CURVES = 6
_COLOURS = ("#1f5fa8", "#c4541c", "#2e8540", "#7a3e9d", "#a8871f", "#5f5f5f", "#b0305c", "#1b8a8f")

Series = Callable[[Row], dict[str, Any]]
"""Gives the series of an item, by name."""


def draw_plots(results: Results, series: Series, folder: Path) -> list[Picture]:
    """Write the plots as PNG into ``folder``/plots and say which there are.

    Raises:
        FaceloomError: matplotlib is not installed.
    """
    style()
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    pictures = [_scatter(results, *pair, folder) for pair in _AGAINST if _both(results, *pair)]
    return [*pictures, *_curves(results, series, folder)]


def style() -> None:
    """Settings of all plots. Raises FaceloomError with the command that installs matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise FaceloomError(
            "plots need matplotlib, which is not installed: pip install 'faceloom[evaluate]'"
        ) from error
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


def _both(results: Results, x: str, y: str) -> bool:
    def known(name: str) -> bool:
        return any(row.values.get(name) is not None for row in results.rows)

    return known(x) and known(y)


def _scatter(results: Results, x: str, y: str, folder: Path) -> Picture:
    """Items as faint points, the macro-average of each method as a large one."""
    from matplotlib import pyplot

    specs = {spec.name: spec for spec in results.metrics}
    figure, axes = pyplot.subplots(figsize=(5.2, 4.0), layout="constrained")
    for index, method in enumerate(results.methods):
        colour = _COLOURS[index % len(_COLOURS)]
        points = [(row.values.get(x), row.values.get(y)) for row in results.rows if row.method == method]
        known = np.array([point for point in points if None not in point], float).reshape(-1, 2)
        axes.scatter(known[:, 0], known[:, 1], s=14, color=colour, alpha=0.35, linewidths=0)
        across, up = (macro_mean(results.fair_rows, method, results.common_parts, name) for name in (x, y))
        if across is not None and up is not None:
            axes.scatter(across, up, s=90, color=colour, edgecolor="white", label=method, zorder=3)
    axes.set_xlabel(head(specs[x]))
    axes.set_ylabel(head(specs[y]))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    text = f"{specs[y].title} against {specs[x].title}: items, and the average over parts of each method."
    return Picture(_save(figure, folder, f"{y}_against_{x}"), text)


def _curves(results: Results, series: Series, folder: Path) -> list[Picture]:
    """Warping error over time for the pairs in which methods differ most."""
    by_pair: dict[tuple[str, str, str], list[Row]] = {}
    for row in results.fair_rows:
        if row.values.get("e_warp") is not None:
            by_pair.setdefault(row.pair, []).append(row)
    spread = {pair: _spread([row.values["e_warp"] for row in rows]) for pair, rows in by_pair.items()}
    telling = sorted(by_pair, key=lambda pair: (-spread[pair], pair))[:_MOST_CURVES]
    return [_curve(results, by_pair[pair], series, folder) for pair in sorted(telling)]


def _spread(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    centre = mean(known)
    return 0.0 if not centre else (max(known) - min(known)) / centre


def _curve(results: Results, rows: Sequence[Row], series: Series, folder: Path) -> Picture:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, 2.6), layout="constrained")
    target: Any = None
    for row in rows:
        found = series(row)
        target = found.get("e_warp_target", target)
        colour = _COLOURS[results.methods.index(row.method) % len(_COLOURS)]
        axes.plot(found.get("e_warp", []), color=colour, linewidth=1.1, label=row.method)
    if target is not None:
        axes.plot(target, color="black", linewidth=0.9, linestyle=":", label="target itself")
    axes.set_xlabel("frame")
    axes.set_ylabel("E_warp (10^-3)")
    axes.legend(frameon=False, fontsize=8)
    one = rows[0]
    text = f"E_warp between neighbouring frames, clip {one.target}, {one.part} from {one.reference}."
    return Picture(_save(figure, folder, f"e_warp_{one.id}"), text)


def _save(figure: Any, folder: Path, name: str) -> str:
    from matplotlib import pyplot

    buffer = BytesIO()
    # Without the version of the library in the file, the same numbers give the same bytes.
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    pyplot.close(figure)
    file = f"{FOLDER}/{name}.png"
    (folder / file).write_bytes(buffer.getvalue())
    return file
