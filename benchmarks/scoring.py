"""Time and peak memory of ``faceloom evaluate``: memory must not grow with the number of items.

python benchmarks/scoring.py RUN [--items 4 16] [--metrics e_warp,psnr]

RUN is what ``faceloom benchmark run`` made, with at least as many finished items as the largest number asked for. Its
first items are scored with all metrics that have weights here, in one process, each time from nothing. Peak memory is
the high-water mark of the process (``VmHWM`` of Linux), so this runs on Linux only.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from memory import peak_memory
from rich.console import Console
from rich.table import Table

from faceloom.evaluate.benchmark import export
from faceloom.evaluate.benchmark.export import ItemRecord

BAR = 1.1
_SECONDS = 60.0
_SCORE = "import sys; from faceloom.serve.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Measured:
    """Peak memory in bytes, and seconds for all items: by the clock and of all cores together."""

    peak: int
    wall: float
    cores: float


def finished(run: Path) -> list[Path]:
    """Folders of items that can be scored, one target after the other, so that few of them show all methods."""
    done = [folder for folder in export.item_folders(run) if _record(folder).status == "done"]
    return sorted(done, key=lambda folder: (folder.name, folder.parent.name))


def frames_of(items: list[Path]) -> int:
    """The most frames of an item."""
    return max(_record(folder).frames for folder in items)


def _record(folder: Path) -> ItemRecord:
    return export.read_record(folder / export.ITEM, ItemRecord)


def linked(run: Path, items: list[Path], out: Path) -> Path:
    """A run of these items alone, by links into the other one."""
    out.mkdir()
    for name in (export.RUN, "references", "targets"):
        (out / name).symlink_to(run / name)
    for item in items:
        place = out / item.relative_to(run)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(item)
    return out


def measure(run: Path, items: list[Path], metrics: str | None) -> Measured:
    """Score ``items`` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        part = linked(run, items, Path(folder) / "run")
        command = [sys.executable, "-c", _SCORE, "evaluate", str(part), "-o", f"{folder}/report", "--jobs", "1", "-q"]
        before = _cpu_seconds()
        peak, wall = peak_memory([*command, *(["--metrics", metrics] if metrics else [])])
        return Measured(peak, wall, _cpu_seconds() - before)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    options = arguments()
    run, console = options.run.resolve(), Console()
    if len(options.items) < 2 or options.items[-1] <= options.items[0]:
        raise SystemExit("--items wants at least two numbers, rising: what an item costs is their difference")
    items = finished(run)
    if len(items) < max(options.items):
        raise SystemExit(f"{run} has {len(items)} finished items, {max(options.items)} are wanted")
    table = Table("items", "peak MiB", "seconds", "of all cores", box=None)
    found = [measure(run, items[:count], options.metrics) for count in options.items]
    for count, one in zip(options.items, found, strict=True):
        table.add_row(str(count), f"{one.peak / 2**20:.0f}", f"{one.wall:.1f}", f"{one.cores:.1f}")
    console.print(table)
    ratio = found[-1].peak / found[0].peak
    more = options.items[-1] - options.items[0]
    each, cores = ((getattr(found[-1], name) - getattr(found[0], name)) / more for name in ("wall", "cores"))
    console.print(f"{'PASS' if ratio <= BAR else 'FAIL'}: memory of most over fewest items {ratio:.3f}, bar {BAR}")
    console.print(
        f"{'PASS' if each <= _SECONDS else 'FAIL'}: an item of {frames_of(items)} frames takes {each:.1f} s "
        f"({cores:.1f} s of all cores), bar {_SECONDS:.0f} s on two cores with nothing else to do"
    )
    return 0 if ratio <= BAR and each <= _SECONDS else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder that `faceloom benchmark run` made")
    parser.add_argument("--items", type=int, nargs="+", default=[4, 16], help="at least two numbers, rising")
    parser.add_argument("--metrics", help="names, separated by commas; default all")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
