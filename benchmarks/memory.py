"""Peak memory of ``faceloom edit`` on a short and a long clip: it must not grow with length.

python benchmarks/memory.py --clip CLIP [--frames 300 3000]

The clips are made in a temporary folder by playing CLIP forwards and backwards. Peak memory is the high-water mark
of the process (``VmHWM`` of Linux), so this runs on Linux only.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from rich.console import Console
from rich.table import Table

from faceloom.media import ClipWriter, open_clip
from faceloom.types import Frame

BAR = 1.1
_POLL_SECONDS = 0.05
_MOST_KEPT = 300


def looped(source: Path, out: Path, frames: int) -> None:
    """Write ``frames`` frames of ``source``, played to and fro."""
    with open_clip(source) as clip:
        kept = list(itertools.islice(clip, _MOST_KEPT))
        order = list(range(len(kept))) + list(range(len(kept) - 2, 0, -1))
        step = 1 / Fraction(clip.info.fps)
        with ClipWriter.like(clip, out, preset="ultrafast", crf=18) as sink:
            for index, position in enumerate(itertools.islice(itertools.cycle(order), frames)):
                sink.write(Frame(index, index * step, kept[position].image, kept[position].native))


def peak_memory(command: list[str]) -> tuple[int, float]:
    """Run a command to its end. Returns its peak resident memory in bytes and its wall-clock seconds.

    The children's ``ru_maxrss`` would not do: it also counts this process, from before the command was loaded.
    """
    begin, peak = time.perf_counter(), 0
    process = subprocess.Popen(command)
    while process.poll() is None:
        peak = max(peak, _high_water(process.pid))
        time.sleep(_POLL_SECONDS)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with exit code {process.returncode}")
    return peak, time.perf_counter() - begin


def _high_water(pid: int) -> int:
    """VmHWM in bytes; 0 while the process is ending and has no memory any more."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return 1024 * int(lines[0].split()[1]) if lines else 0


def measure(clip: Path, frames: int, folder: Path, take: str) -> tuple[int, float]:
    """Peak memory and seconds of one edit of a clip of so many frames."""
    target, out = folder / f"{frames}.mp4", folder / f"{frames}_edited.mp4"
    # A process of its own, so that the frames of this step do not weigh on the next.
    subprocess.run([sys.executable, __file__, "--clip", clip, "--loop-to", target, "--frames", str(frames)], check=True)
    edit = "import sys; from faceloom.serve.cli import main; sys.exit(main())"
    found = peak_memory([sys.executable, "-c", edit, "edit", str(target), "-o", str(out), "--take", take, "--quiet"])
    with open_clip(out) as edited:
        written = sum(1 for _ in edited)
    if written != frames:
        raise SystemExit(f"{out} has {written} frames instead of {frames}")
    return found


def main() -> int:
    options = arguments()
    if options.loop_to is not None:
        looped(options.clip, options.loop_to, options.frames[0])
        return 0
    table = Table("frames", "peak MiB", "seconds", box=None)
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for frames in options.frames:
            peak, seconds = measure(options.clip.resolve(), frames, Path(folder), options.take)
            peaks.append(peak)
            table.add_row(str(frames), f"{peak / 2**20:.0f}", f"{seconds:.1f}")
    ratio = peaks[-1] / peaks[0]
    console = Console()
    console.print(table)
    console.print(f"{'PASS' if ratio <= BAR else 'FAIL'}: longest over shortest {ratio:.3f}, bar {BAR}")
    return 0 if ratio <= BAR else 1


def arguments() -> argparse.Namespace:
    portraits = Path(__file__).resolve().parent.parent / "examples" / "portraits"
    media = os.environ.get("FACELOOM_MEDIA")
    default = min((Path(media) / "videos").glob("*.mp4")) if media else None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=default, required=default is None)
    parser.add_argument("--frames", type=int, nargs="+", default=[300, 3000])
    parser.add_argument("--take", default=f"mouth={portraits / 'person_05.jpg'}")
    parser.add_argument("--loop-to", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
