"""Clips and references that many tests read; made once in a session, when first asked for. Read-only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from faceloom.perceive import Perception, perceive_image
from faceloom.weights import Store
from support.footage import (
    NOBODY,
    Landmarks,
    Picture,
    moving,
    turned,
    with_eyes_shut,
    with_mouth_covered,
    write_video,
)

MAIN, GUEST, MOUTH, EYES = "person_01", "person_05", "person_07", "person_03"


class Footage:
    """Clips, lossless unless said otherwise."""

    def __init__(self, folder: Path, portraits: Mapping[str, Picture]) -> None:
        self.folder, self._portraits = folder, portraits

    def shot(self, frames: int, size: int = 256, who: str = MAIN) -> list[Picture]:
        """Moving pictures of one person."""
        return moving(self._portraits[who], frames, size)

    @cached_property
    def plain(self) -> Path:
        """16 frames of one person."""
        return write_video(self.folder / "plain.mkv", self.shot(16))

    @cached_property
    def sound(self) -> Path:
        """30 frames of H.264 with AAC sound, as a camera writes them."""
        path = self.folder / "sound.mp4"
        return write_video(path, self.shot(30), codec="libx264", audio="aac", faststart=True)

    @cached_property
    def nobody(self) -> Path:
        """8 frames in which there is nobody."""
        empty = cv2.resize(NOBODY, (160, 128))
        return write_video(self.folder / "nobody.mkv", [np.roll(empty, index, 0) for index in range(8)])

    @cached_property
    def gaps(self) -> Path:
        """One person in frames 0 to 5 and 10 to 15; nobody between."""
        pictures = self.shot(16)
        pictures[6:10] = [cv2.resize(NOBODY, (256, 256))] * 4
        return write_video(self.folder / "gaps.mkv", pictures)

    @cached_property
    def two(self) -> Path:
        """10 frames with two people, the larger on the left."""
        left, right = self.shot(10), self.shot(10, 192, GUEST)
        pictures = [
            np.hstack([a, cv2.copyMakeBorder(b, 32, 32, 0, 0, cv2.BORDER_REPLICATE)])
            for a, b in zip(left, right, strict=True)
        ]
        return write_video(self.folder / "two.mkv", pictures)


class References:
    """Reference pictures."""

    def __init__(self, folder: Path, portraits: Mapping[str, Picture], store: Store) -> None:
        self._folder, self._portraits, self._store = folder, portraits, store

    def save(self, name: str, picture: Picture) -> Path:
        path = self._folder / name
        Pillow.fromarray(picture).save(path)
        return path

    @cached_property
    def mouth(self) -> Path:
        """Frontal, eyes open, lips bare."""
        return self.save("mouth.png", self._portraits[MOUTH])

    @cached_property
    def eyes(self) -> Path:
        """Another such person."""
        return self.save("eyes.png", self._portraits[EYES])

    @cached_property
    def nobody(self) -> Path:
        return self.save("landscape.png", cv2.resize(NOBODY, (320, 240)))

    @cached_property
    def group(self) -> Path:
        """Two people; the second from the left is the larger."""
        small = cv2.resize(self._portraits[MOUTH], (256, 256), interpolation=cv2.INTER_AREA)
        small = cv2.copyMakeBorder(small, 0, 256, 0, 0, cv2.BORDER_CONSTANT, value=(90, 90, 90))
        return self.save("group.png", np.hstack([small, self._portraits[EYES]]))

    @cached_property
    def shut(self) -> Path:
        return self.save("shut.png", with_eyes_shut(self._portraits[MOUTH], self._landmarks(MOUTH)))

    @cached_property
    def covered(self) -> Path:
        return self.save("covered.png", with_mouth_covered(self._portraits[MOUTH], self._landmarks(MOUTH)))

    @cached_property
    def profile(self) -> Path:
        return self.save("profile.png", turned(self._portraits[MAIN], self._landmarks(MAIN), 65))

    def _landmarks(self, who: str) -> Landmarks:
        return perceive_image(self._portraits[who], Perception(self._store))[0].landmarks


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory, portraits: Mapping[str, Picture]) -> Footage:
    return Footage(tmp_path_factory.mktemp("footage"), portraits)


@pytest.fixture(scope="session")
def references(tmp_path_factory: pytest.TempPathFactory, portraits: Mapping[str, Picture], store: Store) -> References:
    return References(tmp_path_factory.mktemp("references"), portraits, store)


@pytest.fixture(scope="session")
def real_clip() -> Path:
    """A clip of a real camera, from the folder that FACELOOM_MEDIA names."""
    folder = os.environ.get("FACELOOM_MEDIA")
    if not folder:
        pytest.skip("FACELOOM_MEDIA does not name a folder with videos/")
    clips = sorted(Path(folder).glob("videos/*.mp4"))
    assert clips, f"there is no videos/*.mp4 in {folder}"
    return clips[0]
