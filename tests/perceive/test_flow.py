from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import pytest

from faceloom.perceive import FlowPreset, OpticalFlow
from faceloom.types import Image


@pytest.mark.parametrize("preset", list(FlowPreset))
def test_known_shift(portraits: Mapping[str, Image], preset: FlowPreset) -> None:
    a = portraits["person_01"]
    b = np.roll(a, (3, 5), (0, 1))  # what a shows at (x, y), b shows at (x + 5, y + 3)
    flow = OpticalFlow(preset).flow(a, b)
    assert flow.shape == (512, 512, 2)
    assert flow.dtype == np.float32
    inside = flow[100:400, 100:400].reshape(-1, 2)
    np.testing.assert_allclose(np.median(inside, axis=0), [5, 3], atol=0.1)
    assert np.percentile(np.linalg.norm(inside - [5, 3], axis=1), 90) < 1


def test_sampling_the_second_picture_along_the_flow_gives_the_first(portraits: Mapping[str, Image]) -> None:
    a = portraits["person_02"]
    turn = cv2.getRotationMatrix2D((256, 256), 2, 1.01)
    b = cv2.warpAffine(a, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    flow = OpticalFlow().flow(a, b)
    y, x = np.mgrid[:512, :512].astype(np.float32)
    back = cv2.remap(b, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
    core = np.s_[60:-60, 60:-60]
    before = np.abs(a[core].astype(float) - b[core]).mean()
    assert np.abs(a[core].astype(float) - back[core]).mean() < 0.25 * before


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (16, 300), (300, 11), (63, 65)])
def test_small_pictures(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    flow = OpticalFlow(FlowPreset.FAST).flow(picture, picture)
    assert flow.shape == (*size, 2)
    assert np.abs(flow).max() < 0.5


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="one size"):
        OpticalFlow().flow(np.zeros((64, 64), np.uint8), np.zeros((64, 65), np.uint8))
