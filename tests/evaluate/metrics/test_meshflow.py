"""E_tmp of real pictures that move as is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

pytest.importorskip("numba", reason="drawing a mesh needs numba: pip install 'faceloom[mesh]'")

from faceloom.evaluate.networks import Networks
from faceloom.evaluate.scorers.meshflow import MeshFlowScorer
from faceloom.evaluate.scorers.step import Step
from faceloom.types import Image
from faceloom.weights import Store

NEEDS = ("tddfa_v2", "tddfa_mean_std", "bfm_noneck_v3", "bfm_tri")


@pytest.fixture(scope="module")
def networks(store: Store) -> Networks:
    store.ensure(NEEDS)
    return Networks(store)


def steps(frames: list[Image], faces, results: list[Image] | None = None) -> list[Step]:
    region = np.zeros(frames[0].shape[:2], bool)
    rows = zip(frames, results or frames, faces, strict=True)
    return [Step(index, target, result, region, face, face) for index, (target, result, face) in enumerate(rows)]


def scored(networks: Networks, found: list[Step]):
    scorer = MeshFlowScorer(networks.morphable(), networks.face_model())
    for step in found:
        scorer.update(step)
    return scorer.finish()


def turned(image: Image, angle: float, x: float, size: int = 256) -> tuple[Image, np.ndarray]:
    """The picture reduced, turned in the plane and moved; with the matrix that does it."""
    scale = size / image.shape[0]
    matrix = cv2.getRotationMatrix2D((image.shape[1] / 2, image.shape[0] / 2), angle, scale)
    matrix[:, 2] += size / 2 - image.shape[0] / 2 + np.array([x, 0])
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_AREA), matrix


def test_the_face_explains_its_own_motion(networks: Networks, perceived, portraits: Mapping[str, Image]) -> None:
    source = perceived.source("person_05")
    smooth = cv2.GaussianBlur(source.image, (0, 0), 2)
    frames, faces = [], []
    for index in range(4):
        picture, matrix = turned(smooth, 3.0 * index, 4.0 * index)
        points = source.face.landmarks.copy()
        points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        points[:, 2] *= np.sqrt(np.linalg.det(matrix[:, :2]))
        frames.append(picture)
        faces.append(replace(source.face, landmarks=points.astype(np.float32)))
    found = scored(networks, steps(frames, faces))
    still = [
        np.sqrt(np.mean((one[80:180, 80:180].astype(float) - other[80:180, 80:180]) ** 2))
        for one, other in pairwise(frames)
    ]
    assert found.series["e_tmp"].shape == (3,)
    assert found.values["e_tmp"] < 0.25 * np.mean(still)


def test_a_still_picture_has_no_error_and_a_result_that_flickers_has(networks: Networks, shot) -> None:
    frames, faces = [shot.frames[0]] * 3, [shot.faces[0]] * 3
    assert scored(networks, steps(frames, faces)).values["e_tmp"] == 0
    brighter = np.clip(shot.frames[0].astype(int) + 10, 0, 255).astype(np.uint8)
    found = scored(networks, steps(frames, faces, [frames[0], brighter, frames[0]]))
    assert found.values["e_tmp"] == pytest.approx(10, abs=0.5)
    assert found.series["e_tmp_target"].tolist() == [0, 0]


def test_frames_without_a_face_break_the_chain(networks: Networks, shot) -> None:
    faces = [None if index == 2 else face for index, face in enumerate(shot.faces[:5])]
    found = scored(networks, steps(shot.frames[:5], faces))
    assert np.flatnonzero(np.isnan(found.series["e_tmp"])).tolist() == [1, 2]
    aside = [replace(face, landmarks=face.landmarks + np.float32([5000, 0, 0])) for face in shot.faces[:3]]
    assert np.isnan(scored(networks, steps(shot.frames[:3], aside)).values["e_tmp"])
