"""Pages of pictures that show how far a model is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from faceloom.types import Image


def page(rows: Sequence[Tensor]) -> Image:
    """Rows of pictures, each (B, 3, S, S) in [-1, 1], as one (rows * S, B * S, 3) uint8 RGB picture."""
    lines = []
    for row in rows:
        pixels = ((row.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        lines.append(np.hstack(list(pixels)))
    return np.vstack(lines)
