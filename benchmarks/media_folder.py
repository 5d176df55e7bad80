"""Which clips to measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def clips_of(media: Path, stems: Sequence[str] | None) -> list[Path]:
    """The clips in ``videos`` of a folder, in alphabetical order; of them those called ``stems``, if any are named."""
    clips = [clip for clip in sorted((media / "videos").iterdir()) if clip.suffix in (".mp4", ".mkv", ".mov")]
    chosen = [clip for clip in clips if not stems or clip.stem in stems]
    if not chosen:
        raise SystemExit(f"no clips to measure in {media / 'videos'}")
    return chosen
