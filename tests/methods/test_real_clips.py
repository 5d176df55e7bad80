"""Flicker and motion on clips of real people. They run where ``FACELOOM_MEDIA`` names a folder with such clips."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from support.perceived import Perceived, Shot, edited, repainted

from faceloom.evaluate.motion import eyes_openness, opening_agreement
from faceloom.evaluate.warping import Flow, Mask, WarpingError, visible_in_both, warping_error, warping_ratio
from faceloom.geometry.masks import Region, region_mask
from faceloom.geometry.partcover import mouth_openness
from faceloom.media import open_clip
from faceloom.perceive import OpticalFlow
from faceloom.types import Attribute, Box, Face, Image

CLIPS = ("vasa_3", "lpkj_d7")
FRAMES = 40
REFERENCE = "person_05"
MOVES = 0.01
"""Standard deviation of an opening under which a clip says nothing about it."""


@dataclass(frozen=True, eq=False)
class RealShot:
    """A clip with the motion between its frames, which every edit of it is judged by."""

    shot: Shot

    @cached_property
    def pairs(self) -> list[tuple[Box, Flow, Mask]]:
        """From each frame to the next: box of the face, flow over it, and pixels of the face seen in both."""
        optical, pairs = OpticalFlow(), []
        frames = [frame.image for frame in self.shot.frames]
        for first, second, face in zip(frames, frames[1:], self.shot.measured, strict=False):
            box = face.box.pad(16).clip(first.shape[1], first.shape[0])
            a, b = first[box.slices], second[box.slices]
            forward, backward = optical.flow(a, b), optical.flow(b, a)
            oval = region_mask(Region.FACE_OVAL, face.landmarks, box) > 0.5
            pairs.append((box, forward, visible_in_both(forward, backward) & oval))
        return pairs

    def errors(self, pictures: list[Image]) -> list[WarpingError]:
        return [
            warping_error(first[box.slices], second[box.slices], flow, valid)
            for first, second, (box, flow, valid) in zip(pictures, pictures[1:], self.pairs, strict=False)
        ]


@pytest.fixture(scope="module", params=CLIPS)
def real_shot(request: pytest.FixtureRequest, real_clip: Path, perceived: Perceived) -> RealShot:
    path = real_clip.parent / f"{request.param}.mp4"
    if not path.exists():
        pytest.skip(f"there is no {path.name} beside {real_clip.name}")
    with open_clip(path) as clip:
        return RealShot(perceived.shot(islice(clip, FRAMES)))


@pytest.mark.parametrize("attribute", [Attribute.MOUTH, Attribute.EYES])
def test_no_flicker_is_added_and_the_face_moves_as_it_did(
    attribute: Attribute, real_shot: RealShot, perceived: Perceived
) -> None:
    shot = real_shot.shot
    own = [frame.image for frame in shot.frames]
    pictures = edited({attribute: perceived.source(REFERENCE)}, shot.frames, shot.faces)
    before, after = real_shot.errors(own), real_shot.errors(pictures)
    assert len(before) == FRAMES - 1
    for kind in ("squared", "absolute"):
        ratio = warping_ratio([getattr(error, kind) for error in after], [getattr(error, kind) for error in before])
        assert ratio < 1.12, kind

    found = perceived.shot([repainted(frame, picture) for frame, picture in zip(shot.frames, pictures, strict=True)])
    target, output = (landmarks_of(faces) for faces in (shot.measured, found.measured))
    for opening, least in ((mouth_openness, 0.98), (eyes_openness, 0.95)):
        agreement = opening_agreement(target, output, opening)
        if agreement.target_spread > MOVES:
            assert agreement.correlation >= least, opening.__name__


def landmarks_of(faces: list[Face]) -> list[np.ndarray]:
    return [face.landmarks for face in faces]
