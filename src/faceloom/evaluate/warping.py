"""Flow-warping error: how much a video changes where its motion says that it should not.

Lai et al., Learning Blind Video Temporal Consistency, ECCV 2018, section 4.2; V-PartSwap reports the same measure.
An edited video is judged with the flow of the unedited one, so that flicker cannot hide in its own flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.types import Image

Flow = NDArray[np.float32]
"""``(H, W, 2)`` displacements in pixels: what one picture shows at ``p``, the other shows at ``p + flow[p]``."""
Mask = NDArray[np.bool_]
"""``(H, W)``, True where a pixel counts."""


@dataclass(frozen=True)
class WarpingError:
    """Warping error of one pair of frames; both are 0 for a perfect match, and lower is better.

    squared   1000 x mean squared difference, pictures in [0, 1].
    absolute  1000 x mean absolute difference, pictures in [0, 1].
    """

    squared: float
    absolute: float


def visible_in_both(forward: Flow, backward: Flow) -> Mask:
    """Pixels of the first picture that are neither hidden in the second one nor outside it: (H, W) bool.

    A pixel counts if ``|f(p) + b(p + f(p))|^2 <= 0.01 (|f(p)|^2 + |b(p + f(p))|^2) + 0.5`` (forward flow f and
    backward flow b, pixels). The second test of the source, which drops all pixels on motion boundaries, is left
    out: around lips and lids it would drop the very pixels that flicker.

    Source: Ruder et al., Artistic Style Transfer for Videos, GCPR 2016, equation 5.
    """
    height, width = forward.shape[:2]
    where = _destination(forward)
    inside = (where >= 0).all(axis=-1) & (where[..., 0] <= width - 1) & (where[..., 1] <= height - 1)
    returned = cv2.remap(backward, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mismatch = ((forward + returned) ** 2).sum(axis=-1)
    allowed = 0.01 * ((forward**2).sum(axis=-1) + (returned**2).sum(axis=-1)) + 0.5
    return inside & (mismatch <= allowed)


def warp_back(following: Image, forward: Flow) -> NDArray[np.float32]:
    """The second picture as seen from the first: (H, W, 3) float32 in [0, 1], ``out[p] = following[p + f(p)]``.

    following  (H, W, 3) uint8; forward  flow from the first picture to the second. Bilinear.
    """
    picture = following.astype(np.float32) / np.float32(255)
    return cv2.remap(picture, _destination(forward), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def warping_residual(first: Image, following: Image, forward: Flow) -> NDArray[np.float32]:
    """``first - warp_back(following)``: (H, W, 3) float32 in [-1, 1], 0 where the motion explains everything.

    Raises:
        ValueError: pictures and flow are not of one size.
    """
    if first.shape != following.shape or first.shape[:2] != forward.shape[:2]:
        raise ValueError(
            f"pictures and flow must be of one size, got {first.shape}, {following.shape} and {forward.shape}"
        )
    return first.astype(np.float32) / np.float32(255) - warp_back(following, forward)


def residual_error(residual: NDArray[np.float32], valid: Mask) -> WarpingError:
    """Mean over the pixels of ``valid`` and the three channels: ``1000 mean(r^2)`` and ``1000 mean(|r|)``.

    NaN when no pixel is valid. residual (H, W, 3), valid (H, W). Lower is better.
    """
    chosen = residual[valid]
    if not chosen.size:
        return WarpingError(float("nan"), float("nan"))
    return WarpingError(
        1000 * float(np.mean(chosen * chosen, dtype=np.float64)),
        1000 * float(np.mean(np.abs(chosen), dtype=np.float64)),
    )


def warping_error(first: Image, following: Image, forward: Flow, valid: Mask) -> WarpingError:
    """E_warp of two consecutive frames under a given flow.

    ``E = 1000 / |M| sum_{p in M} |V_t(p) - V_{t+1}(p + f(p))|^2``, mean over channels, pictures in [0, 1].

    Args:
        first: (H, W, 3) uint8, frame t.
        following: (H, W, 3) uint8, frame t + 1.
        forward: (H, W, 2) flow from t to t + 1, of the unedited video when an edit is judged.
        valid: (H, W) bool, the pixels M: visible in both frames and inside the region of interest.

    Source: Lai et al. 2018, equations 7 and 8. Lower is better; 0 for frames that the flow explains in full.
    """
    return residual_error(warping_residual(first, following, forward), valid)


def warping_ratio(output: Sequence[float], target: Sequence[float]) -> float:
    """Mean error of an edited clip over that of the clip it was made from; 1 means no flicker added, lower is better.

    ``ratio = mean_t E_out(t) / mean_t E_target(t)`` over the pairs of frames in which both are known (not NaN); NaN
    when there are none or the target's error is 0.

    Raises:
        ValueError: the two lists differ in length.
    """
    out, own = np.asarray(output, np.float64), np.asarray(target, np.float64)
    if out.shape != own.shape:
        raise ValueError(f"a ratio needs one error per pair of frames on both sides, got {out.shape} and {own.shape}")
    known = np.isfinite(out) & np.isfinite(own)
    if not known.any() or own[known].mean() <= 0:
        return float("nan")
    return float(out[known].mean() / own[known].mean())


def _destination(flow: Flow) -> Flow:
    height, width = flow.shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    return np.stack([flow[..., 0] + x, flow[..., 1] + y], axis=-1)
