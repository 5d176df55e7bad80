"""Features of pictures and clips, kept for the metrics over whole sets: FID, KID, FVD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceloom.evaluate.scorers.step import Scene, Scored, Step
from faceloom.types import Image

if TYPE_CHECKING:
    from torch import Tensor

    from faceloom.nets.i3d import I3D
    from faceloom.nets.inception import InceptionV3

_INCEPTION_SIDE, _I3D_SIDE = 299, 224


def inception_features(network: InceptionV3, images: Sequence[Image]) -> NDArray[np.float32]:
    """(n, 2048) features of n pictures (H, W, 3) uint8 RGB of one size.

    Resized to 299 x 299 (bilinear, ``align_corners=False``, with antialiasing when smaller), then ``(v - 128) / 128``
    as TensorFlow's network of 2015-12-05 has it.
    """
    import torch

    with torch.inference_mode():
        pixels = _resized(images, _INCEPTION_SIDE, network)
        features: NDArray[np.float32] = network((pixels - 128) / 128).cpu().numpy()
    return features


def i3d_features(network: I3D, clip: Sequence[Image]) -> NDArray[np.float32]:
    """(400,) logits of one clip of pictures (H, W, 3) uint8 RGB, at least 9.

    Resized to 224 x 224 (bilinear, ``align_corners=False``, with antialiasing when smaller), scaled to [-1, 1].
    """
    import torch

    with torch.inference_mode():
        pixels = _resized(clip, _I3D_SIDE, network) / 127.5 - 1  # (T, 3, 224, 224)
        logits: NDArray[np.float32] = network(pixels.transpose(0, 1)[None])[0].cpu().numpy()
    return logits


class InceptionScorer:
    """Features of frames spread over target and result."""

    def __init__(self, network: InceptionV3, scene: Scene) -> None:
        self._network, self._sample = network, scene.spread(scene.sampling.inception)
        self._target: list[NDArray[np.float32]] = []
        self._result: list[NDArray[np.float32]] = []

    def update(self, step: Step) -> None:
        """See ``Scorer``."""
        if step.index in self._sample:
            target, result = inception_features(self._network, [step.target, step.result])
            self._target.append(target)
            self._result.append(result)

    def finish(self) -> Scored:
        """See ``Scorer``."""
        features = {"inception.target": np.stack(self._target), "inception.result": np.stack(self._result)}
        return Scored(features=features, about={"inception frames": str(len(self._target))})


class I3DScorer:
    """Features of clips without overlap, spread over target and result; none when the item is shorter than a clip."""

    def __init__(self, network: I3D, scene: Scene) -> None:
        self._network, self._length = network, scene.sampling.clip_length
        count = min(scene.sampling.clips, scene.frames // self._length)
        self._starts = [round(i * (scene.frames - self._length) / max(count - 1, 1)) for i in range(count)]
        self._held: tuple[list[Image], list[Image]] = ([], [])
        self._found: tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]] = ([], [])

    def update(self, step: Step) -> None:
        """See ``Scorer``."""
        if not any(start <= step.index < start + self._length for start in self._starts):
            return
        for held, found, image in zip(self._held, self._found, (step.target, step.result), strict=True):
            held.append(image)
            if len(held) == self._length:
                found.append(i3d_features(self._network, held))
                held.clear()

    def finish(self) -> Scored:
        """See ``Scorer``."""
        target, result = (np.array(found, np.float32).reshape(-1, 400) for found in self._found)
        about = {"i3d clips": f"{len(target)} of {self._length} frames"}
        return Scored(features={"i3d.target": target, "i3d.result": result}, about=about)


def _resized(images: Sequence[Image], side: int, network: InceptionV3 | I3D) -> Tensor:
    """(n, 3, side, side) float32, 0 to 255, on the network's device."""
    import torch
    from torch.nn import functional

    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    batch = batch.to(next(network.parameters()).device, torch.float32)
    return functional.interpolate(batch, (side, side), mode="bilinear", align_corners=False, antialias=True)
