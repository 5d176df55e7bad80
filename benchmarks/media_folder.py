"""Which clips to measure, and what all scripts that measure clips are told."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def clips_of(media: Path, stems: Sequence[str] | None) -> list[Path]:
    """The clips in ``videos`` of a folder, in alphabetical order; of them those called ``stems``, if any are named."""
    clips = [clip for clip in sorted((media / "videos").iterdir()) if clip.suffix in (".mp4", ".mkv", ".mov")]
    chosen = [clip for clip in clips if not stems or clip.stem in stems]
    if not chosen:
        raise SystemExit(f"no clips to measure in {media / 'videos'}")
    return chosen


def clip_arguments(description: str | None, frames: int) -> argparse.ArgumentParser:
    """--media, --out, --clips and --frames, to which a script adds its own; ``frames`` is what is taken by default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, required=True, help="folder with videos/ in it")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--clips", nargs="*", help="stems of the clips to measure; all if left out")
    parser.add_argument("--frames", type=int, default=frames, help="frames of each clip")
    return parser
