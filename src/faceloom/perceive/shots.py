"""Hard cuts, found while the frames stream by.

Two neighbouring frames belong to one shot when the first *explains* the second: by local motion (each block of the
second is found near its place in the first, after a global change of exposure), or by a change of exposure alone
(one tone curve turns the first into the second, clipping included: a flash). What neither explains is a cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.types import Image

_SIDE = 32
"""Side of the thumbnail, pixels; the whole frame is squashed into it."""
_BLOCK = 8
_BLOCKS = _SIDE // _BLOCK
_REACH = 4
"""Search radius of a block: one eighth of the frame in each direction."""
_BLANK = 4.0
"""Standard deviation of luma (0..255) under which a thumbnail shows nothing: black, white or fog."""
_TONE_BINS = 16
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Planes = NDArray[np.float32]
"""``(3, 32, 32)``: luma, red - luma, blue - luma, all divided by the spread of luma (luma also centred)."""


@dataclass(frozen=True, eq=False)
class _Thumbnail:
    luma: NDArray[np.float32]
    planes: Planes
    histogram: NDArray[np.float32]

    @property
    def blank(self) -> bool:
        return float(self.luma.std()) < _BLANK


class ShotDetector:
    """Streaming detector of hard cuts.

    Head motion, camera motion up to an eighth of the frame per frame, fades, changes of exposure and flashes are
    not cuts. Blank frames (black, white) are never cuts themselves; the first picture after them is compared with
    the last one before them. A jump cut inside the same framing of the same person is not reported: nothing
    moved farther than a head can.

    threshold   distance above which the frame before does not explain this one. Fast motion inside one shot
                reaches about 0.25, cuts between similar studio shots start at about 0.7.

    The threshold rises (by at most ``headroom``) with the running level of the distance, so that a shaky camera
    needs a stronger cut. About 0.4 ms a frame, whatever its size.
    """

    def __init__(self, threshold: float = 0.45, headroom: float = 0.2) -> None:
        if not threshold > 0 or headroom < 0:
            raise ValueError(f"threshold must be > 0 and headroom >= 0, got {threshold} and {headroom}")
        self.threshold = threshold
        self.headroom = headroom
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame begins a clip."""
        self._before: _Thumbnail | None = None
        self._level = 0.0

    def update(self, image: Image) -> bool:
        """True when ``image`` (H, W, 3) uint8 RGB begins a new shot; the first frame of a clip does."""
        now, before = _thumbnail(image), self._before
        if before is None:
            self._before = now
            return True
        if now.blank:
            return False
        self._before = now
        if before.blank:
            return True
        limit = self.threshold + min(self.headroom, 1.5 * max(0.0, self._level - 0.1))
        distance = _still_distance(before, now)  # an upper bound of the distance after motion
        if distance >= limit:
            distance = _moving_distance(before, now)
        cut = distance >= limit and not _same_under_tone_curve(before.luma, now.luma)
        self._level = 0.0 if cut else 0.9 * self._level + 0.1 * min(distance, limit)
        return cut


def _thumbnail(image: Image) -> _Thumbnail:
    step = max(1, min(image.shape[:2]) // (4 * _SIDE))
    small = np.ascontiguousarray(image[::step, ::step])
    small = cv2.resize(small, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    luma = small @ _LUMA
    centred = (small - luma.mean()) / (luma.std() + _BLANK)
    grey = centred @ _LUMA
    planes = np.stack([grey, centred[..., 0] - grey, centred[..., 2] - grey])
    return _Thumbnail(luma, planes, _histogram(planes))


def _histogram(planes: Planes) -> NDArray[np.float32]:
    """Shares of 16 bins for each plane, ``(48,)``, summing to 1."""
    spans = ([-3.0, 3.0], [-2.0, 2.0], [-2.0, 2.0])
    counts = [cv2.calcHist([plane], [0], None, [16], span) for plane, span in zip(planes, spans, strict=True)]
    return (np.concatenate(counts).ravel() / planes.size).astype(np.float32)


def _histogram_distance(one: _Thumbnail, two: _Thumbnail) -> float:
    return 0.5 * float(np.abs(one.histogram - two.histogram).sum())


def _still_distance(one: _Thumbnail, two: _Thumbnail) -> float:
    return float(np.abs(one.planes - two.planes).sum(axis=0).mean()) + _histogram_distance(one, two)


def _moving_distance(one: _Thumbnail, two: _Thumbnail) -> float:
    """Distance after each 8x8 block of ``two`` was sought, in luma, within +-4 pixels of its place in ``one``."""
    padded = np.pad(one.planes, ((0, 0), (_REACH, _REACH), (_REACH, _REACH)), mode="edge")
    shifted = np.lib.stride_tricks.sliding_window_view(padded[0], (_SIDE, _SIDE))  # (9, 9, 32, 32)
    error = np.abs(shifted - two.planes[0]).reshape(-1, _BLOCKS, _BLOCK, _BLOCKS, _BLOCK).mean(axis=(2, 4))
    total = 0.0
    for row, column in np.ndindex(_BLOCKS, _BLOCKS):
        dy, dx = divmod(int(error[:, row, column].argmin()), 2 * _REACH + 1)
        top, left = row * _BLOCK, column * _BLOCK
        found = padded[:, top + dy : top + dy + _BLOCK, left + dx : left + dx + _BLOCK]
        wanted = two.planes[:, top : top + _BLOCK, left : left + _BLOCK]
        total += float(np.abs(found - wanted).sum(axis=0).mean())
    return min(total / _BLOCKS**2 + _histogram_distance(one, two), _still_distance(one, two))


def _same_under_tone_curve(one: NDArray[np.float32], two: NDArray[np.float32]) -> bool:
    """True when a curve luma -> luma, in either direction, explains four fifths of the variance.

    Either direction: a flash that clips can be made from the unclipped picture, not the other way round.
    """
    return max(_explained_by_tone_curve(one, two), _explained_by_tone_curve(two, one)) > 0.8


def _explained_by_tone_curve(one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    order = two.ravel()[np.argsort(one, axis=None, kind="stable")].reshape(_TONE_BINS, -1)
    total = float(two.var())
    return 1.0 - float(order.var(axis=1).mean()) / total if total > 0 else 1.0
