"""Faces of people who do not exist, as many as wanted, aligned as in FFHQ.

Belousov, MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis, 2021. The
generator was distilled from StyleGAN2 trained on FFHQ, so what it makes is for non-commercial use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from faceloom.nets.openvino_graph import OpenVinoGraph
from faceloom.types import Image
from faceloom.weights import Store

WEIGHTS = tuple(f"mobilestylegan_{net}_{kind}" for net in ("mapping", "synthesis") for kind in ("xml", "bin"))
NATIVE_SIZE = 1024
_LATENT = 512
_SAMPLES_OF_MEAN = 4096


class FaceGenerator:
    """MobileStyleGAN.

    store   has the four weights ``WEIGHTS``; WeightsError otherwise.
    device  torch device.
    """

    def __init__(self, store: Store, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        mapping_xml, mapping_bin, synthesis_xml, synthesis_bin = (store.path(name).read_bytes() for name in WEIGHTS)
        self._mapping = OpenVinoGraph(mapping_xml, mapping_bin).to(self.device)
        self._synthesis = OpenVinoGraph(synthesis_xml, synthesis_bin).to(self.device)
        samples = np.random.default_rng(0).standard_normal((_SAMPLES_OF_MEAN, _LATENT))
        with torch.inference_mode():
            self._mean = self._mapping(self._tensor(samples)).mean(0, keepdim=True)

    def faces(
        self, seeds: Iterable[int], size: int, truncation: tuple[float, float] = (0.55, 0.85), batch: int = 1
    ) -> Iterator[tuple[int, Image]]:
        """One face for each seed, as ``(seed, picture)``; pictures are (size, size, 3) uint8 RGB.

        Args:
            seeds: a face is a function of its seed and ``truncation`` alone.
            size: side in pixels, at most 1024.
            truncation: the distance from the mean face is scaled by a number drawn from this range; 0 is the mean
                face itself, 1 the full variety, with failures among it.
            batch: faces computed together; more than 1 helps on a GPU only.
        """
        for group in _groups(seeds, batch):
            pictures = self._pictures(group, truncation)
            pixels = ((pictures.clamp(-1, 1) + 1) * 127.5).permute(0, 2, 3, 1).cpu().numpy()
            for seed, picture in zip(group, pixels, strict=True):
                small = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
                yield seed, np.round(small).astype(np.uint8)

    @torch.inference_mode()
    def _pictures(self, seeds: list[int], truncation: tuple[float, float]) -> Tensor:
        """(B, 3, 1024, 1024) RGB, about in [-1, 1]."""
        generators = [np.random.default_rng(seed) for seed in seeds]
        latents = np.stack([generator.standard_normal(_LATENT) for generator in generators])
        spread = self._tensor(np.array([[generator.uniform(*truncation)] for generator in generators]))
        return self._synthesis(self._mean + spread * (self._mapping(self._tensor(latents)) - self._mean))

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self.device)


def file_of(folder: Path, seed: int) -> Path:
    """Where the face of a seed is kept."""
    return folder / f"generated_{seed:06d}.png"


def _groups(seeds: Iterable[int], batch: int) -> Iterator[list[int]]:
    rest = list(seeds)
    for begin in range(0, len(rest), batch):
        yield rest[begin : begin + batch]
