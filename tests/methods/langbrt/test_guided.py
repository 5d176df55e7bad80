"""A small change that follows a large picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.methods.langbrt.guided import GuidedChange
from faceloom.methods.vpartswap.crops import enlarge
from faceloom.types import Box, Crop

SMALL, ZOOM = 64, 4
LARGE = SMALL * ZOOM
BOX = Box(0, 0, LARGE, LARGE)
CROP = Crop(np.array([[1 / ZOOM, 0, 0.5 / ZOOM - 0.5], [0, 1 / ZOOM, 0.5 / ZOOM - 0.5]]), SMALL, SMALL)
GRAIN = 0.02
ONES = np.ones((LARGE, LARGE), np.float32)


def reduced(log: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.resize(log, (SMALL, SMALL), interpolation=cv2.INTER_AREA)


def skin() -> NDArray[np.float32]:
    """(L, L, 3) logarithm of light: a slope, and grain."""
    rng = np.random.default_rng(0)
    slope = np.linspace(-1.2, -0.8, LARGE, dtype=np.float32)[None, :, None]
    return (slope + GRAIN * rng.standard_normal((LARGE, LARGE, 3))).astype(np.float32)


def mole(radius: float = 9) -> NDArray[np.float32]:
    """(L, L, 3) a dark disc with a sharp edge."""
    rows, columns = np.mgrid[:LARGE, :LARGE]
    inside = np.hypot(rows - 131, columns - 126) < radius
    return np.where(inside[..., None], np.float32(-0.5), np.float32(0)) * np.ones(3, np.float32)


def rms(values: NDArray[np.float32]) -> float:
    return float(np.sqrt((values[100:160, 100:160] ** 2).mean()))


def removed(clean: NDArray[np.float32], blemish: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """What comes out when the small change is right, and the error of the change merely enlarged."""
    seen = clean + blemish
    change = reduced(clean) - reduced(seen)
    result = GuidedChange.fit(reduced(seen), change).apply(seen, ONES, GRAIN * ONES, CROP, BOX, ZOOM)
    return result, rms(seen + enlarge(change, CROP, BOX) - clean)


def test_a_sharp_edge_goes_without_an_outline() -> None:
    clean = skin()
    result, plain = removed(clean, mole())
    assert rms(result - clean) < 0.5 * plain
    assert plain > 2 * GRAIN, "or there was no edge to speak of"


def test_grain_stays_on_what_was_a_blemish() -> None:
    clean = skin()
    result, _ = removed(clean, mole())
    middle = result[125:137, 120:132] - cv2.GaussianBlur(result, (0, 0), 3)[125:137, 120:132]
    assert 0.6 * GRAIN < middle.std() < 1.3 * GRAIN


def test_a_change_without_edges_is_only_enlarged() -> None:
    clean = skin()
    redness = cv2.GaussianBlur(mole(60), (0, 0), 30)
    result, plain = removed(clean, redness)
    assert rms(result - clean) < max(1.3 * plain, 0.005)


def test_no_change_no_effect() -> None:
    picture = skin()
    guided = GuidedChange.fit(reduced(picture), np.zeros((SMALL, SMALL, 3), np.float32))
    np.testing.assert_allclose(guided.apply(picture, ONES, GRAIN * ONES, CROP, BOX, ZOOM), picture, atol=1e-5)


def test_features_of_the_face_do_not_guide() -> None:
    """Along an edge as strong as a nostril's, a smooth change must not wipe the edge."""
    clean = skin()
    clean[:, 130:] -= 2
    blurred = cv2.GaussianBlur(reduced(clean), (0, 0), 0.7)
    guided = GuidedChange.fit(reduced(clean), blurred - reduced(clean))
    assert -guided.slope[20:40, 31:34].min() < 0.1
