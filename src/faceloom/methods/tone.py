"""How a part of one person's face looks on another's skin: bare skin takes its tone, features keep their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceloom.geometry import colour
from faceloom.methods.light import Light
from faceloom.methods.part_reference import PartReference
from faceloom.types import FloatImage, Matte, Part

_MOST_LIGHT = 0.35
"""Logarithm of the gain up to which two skins may differ by the light on them alone."""
_LEAST_CONTRAST, _SAME_CONTRAST = 0.4, 0.9
"""Least share of a reference's shading contrast to keep, and the share from which on it is left as it is."""
_EVEN = 0.12
"""Deviation of the logarithm of the luminance up to which skin counts as evenly lit."""
_LEAST_SHADING = 0.3
"""Least share of shading to keep where skin is shaded anew."""
_TIMES_HARDER = (1.3, 2.3)
"""How many times as uneven a reference's skin must be for its shading to be made anew, at all and throughout."""
_HARDER = (0.12, 0.3)
"""The same for the difference of the two: hard light leaves sheen, which is not the skin's colour."""
_LIPS = 0.8
"""How bright lips can be beside the skin around them."""
_LIPS_SHARE = 0.25
"""How far lips follow the skin from dark to light or back, as an exponent: 0 not at all, 1 as far as the skin."""
_OTHER_TONE = (0.25, 0.6)
"""The same for the logarithm of what the gain is beyond ``_MOST_LIGHT``."""
_OTHER_TINT = (0.3, 0.6)
"""The same for the difference of the logarithms of the largest and the least gain of a channel."""


def light_alone(gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of a (3, 3) gain that light explains; the same object where that is all of it."""
    return colour.limited(gain, _MOST_LIGHT)


def shading_contrast(reference: PartReference, light: Light) -> float:
    """How much of the reference's light and shade to keep, so that a face in hard light fits one in soft light.

    The spread of the skin's luminance around the part, the target's over the reference's; 1 where they are nearly
    the same or the target's is larger.
    """
    return float(np.clip(light.skin_spread[0] / (_SAME_CONTRAST * reference.skin_spread[0]), _LEAST_CONTRAST, 1))


def on_other_skin(lit: FloatImage, bare: Matte, reference: PartReference, light: Light) -> FloatImage:
    """A picture of the reference in the light of the target (``light_alone`` applied), with the target's skin.

    Lips and hair are much the same on light and on dark skin, so only bare skin takes on the other's tone.

    Args:
        lit: (H, W, 3) float32.
        bare: (H, W) where it shows bare skin.
        reference: the part that it shows.
        light: the target's.
    """
    by_light = light_alone(light.skin)
    own, other = (colour.lit_colour(reference.skin_median, gain) for gain in (by_light, light.skin))
    uneven = reference.shading / max(light.shading, _EVEN)
    anew = _share_anew(reference.shading - light.shading, uneven, light.skin[0], by_light[0])
    toned, contrast = lit, shading_contrast(reference, light)
    if contrast < 1:
        toned = colour.flatten_shading(toned, float(own @ colour.LUMINANCE), contrast, bare)
    if by_light is not light.skin and anew < 1:
        toned = colour.mix(toned, colour.change_tone(toned, own, other), np.float32(1 - anew) * bare)
    if anew == 0:
        return toned
    skin = colour.colour_of(light.skin_mean)
    # More than in proportion: what the points around a part tell of its light is less than what the part shows.
    kept = float(np.clip((_SAME_CONTRAST * max(uneven, 1.0)) ** -1.5, _LEAST_SHADING, 1))
    if reference.part == Part.MOUTH:
        lips = _lips(toned, reference, own, skin, kept)
        toned = colour.mix(toned, lips, np.float32(anew) * (1 - bare))
    return colour.mix(toned, colour.reshade(lit, own, skin, kept), np.float32(anew) * bare)


def _share_anew(harder: float, uneven: float, gain: NDArray[np.float64], by_light: NDArray[np.float64]) -> float:
    """How far skin is shaded anew, 0 to 1: for much harder light than the target's, another tone or tint."""
    apart, tint = float(np.abs(gain - by_light).max()), float(np.ptp(gain))
    reasons = (uneven, _TIMES_HARDER), (harder, _HARDER), (apart, _OTHER_TONE), (tint, _OTHER_TINT)
    most = max((measure - low) / (high - low) for measure, (low, high) in reasons)
    share = min(max(most, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _lips(
    lit: FloatImage,
    reference: PartReference,
    own: NDArray[np.float64],
    skin: NDArray[np.float64],
    contrast: float,
) -> FloatImage:
    """Lips that come from darker skin than they are put on: a little lighter, less shaded, and darker than the skin.

    On dark skin lips are often brighter than the skin, and on light skin they would glare.
    """
    was, around = (max(float(value @ colour.LUMINANCE), 1e-3) for value in (own, skin))
    lips = float(reference.feature @ colour.LUMINANCE) * was / max(reference.skin_luminance, 1e-3)
    if around <= was or lips <= 0:
        return lit
    even = colour.flatten_shading(lit, lips, np.sqrt(contrast), np.ones(lit.shape[:2], np.float32))
    return even * np.float32(min((around / was) ** _LIPS_SHARE, _LIPS * around / lips))
