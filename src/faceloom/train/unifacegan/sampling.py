"""Dynamic Training Sample Selection: which three pictures an episode is made of (UniFaceGAN, eqs. 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faceloom.train.unifacegan.recipe import SamplingSection

Place = tuple[int, int]
"""Number of a clip, and which of its pairs of consecutive frames."""


@dataclass(frozen=True)
class Choice:
    """The pairs of frames, at t and t - 1, that give appearance and pose (X_p), identity (X_i) and expression (X_e).

    intra             all from one clip.
    hint_of_identity  the hint M is cut from X_i, as in a reenactment, not from X_p, as in a swap.
    """

    appearance: Place
    identity: Place
    expression: Place
    intra: bool
    hint_of_identity: bool


def choose(
    appearance: Place, pairs: Sequence[int], pool: Sequence[int], how: SamplingSection, numbers: np.random.Generator
) -> Choice:
    """Complete an episode around the pair that gives the appearance.

    Args:
        appearance: X_p.
        pairs: number of pairs of each clip.
        pool: clips that may be chosen from.
        how: sigma and the other choices.
        numbers: where chance comes from; the same count of numbers is used whatever is chosen.
    """
    others = [clip for clip in pool if clip != appearance[0]]
    is_intra, hint, first, second, *frames = numbers.random(6)
    if is_intra < how.intra or not others:
        identity = appearance[0], int(frames[0] * pairs[appearance[0]])
        expression = appearance[0], int(frames[1] * pairs[appearance[0]])
        of_identity = how.hint == "identity" or (how.hint == "both" and hint < 0.5)
        follows = appearance if how.truth == "appearance" else expression
        return Choice(appearance, identity, follows, True, of_identity)
    one = others.pop(int(first * len(others)))
    # A third clip where there is one (eq. 2); of two, the expression comes from the appearance's.
    two = others[int(second * len(others))] if others else appearance[0]
    return Choice(appearance, (one, int(frames[0] * pairs[one])), (two, int(frames[1] * pairs[two])), False, False)
