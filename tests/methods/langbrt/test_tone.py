"""Logarithms of light and back."""

from __future__ import annotations

import numpy as np

from faceloom.methods.langbrt.tone import FLOOR, log_light, log_light_of, picture_of


def test_every_grey_level_comes_back() -> None:
    levels = np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, 2)
    back = picture_of(log_light_of(levels))
    np.testing.assert_array_equal(np.round(back * 255).astype(np.uint8), levels)
    np.testing.assert_allclose(log_light(levels.astype(np.float32) / 255), log_light_of(levels), atol=1e-6)


def test_by_hand() -> None:
    """White is 1, sRGB 0.5 is 0.2140 of linear light, black is 0."""
    pictures = np.array([[[1.0, 0.5, 0.0]]], np.float32)
    np.testing.assert_allclose(np.exp(log_light(pictures)) - FLOOR, [[[1.0, 0.2140, 0.0]]], atol=1e-4)


def test_beyond_white_and_black_is_cut_off() -> None:
    picture = picture_of(np.array([[[2.0, -20.0, 0.5]]], np.float32))
    np.testing.assert_allclose(picture[0, 0], [1, 0, 1], atol=1e-6)
