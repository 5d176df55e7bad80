"""Every metric of the table, through the networks it looks through: ideal for no change, worse the more there is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need torch: pip install 'faceloom[torch]'")
pytest.importorskip("numba", reason="drawing a mesh needs numba: pip install 'faceloom[mesh]'")

from support.onnx import channel_means  # noqa: E402

from faceloom.evaluate.expression import FaceExpression  # noqa: E402
from faceloom.evaluate.headpose import HeadPose  # noqa: E402
from faceloom.evaluate.item import Item, ItemScores  # noqa: E402
from faceloom.evaluate.metrics.registry import METRICS  # noqa: E402
from faceloom.evaluate.networks import Networks  # noqa: E402
from faceloom.evaluate.scorers.step import Sampling  # noqa: E402
from faceloom.evaluate.scoring import score_item, score_set  # noqa: E402
from faceloom.geometry import topology as t  # noqa: E402
from faceloom.nets.deep3d import Deep3DFaceRecon  # noqa: E402
from faceloom.nets.hopenet import HopeNet  # noqa: E402
from faceloom.types import Face, Image  # noqa: E402
from faceloom.weights import Store  # noqa: E402

FEW = Sampling(lpips_vgg=1, part=1, identity=2, regressed=2, inception=3, clips=1, clip_length=9)
FRAMES = 9
STRENGTHS = (1, 2, 3, 4, 5)
DATA = Path(__file__).parents[2] / "data" / "nets" / "vit_tiny.npz"

IDEAL = {
    "e_warp_ratio": 1, "psnr": math.inf, "ssim": 1, "rmse": 0, "lpips_vgg": 0, "lpips_alex": 0, "pose_error": 0,
    "pose_euler_error": 0, "pose_hopenet": 0, "expression_error": 0, "expression_error_l2": 0, "expression_3dmm": 0,
    "expression_deep3d": 0, "gaze_error": 0, "mouth_opening_correlation": 1, "eye_opening_correlation": 1,
    "vgg_i_gain": 0, "identity_outside": 1, "identity_target": 1, "arcface_outside": 1, "lpips_background": 0,
    "jitter_ratio": 1, "flicker": 0, "fid": 0, "fvd": 0,
}  # fmt: skip
"""What a result that is its target must have."""
OWN = {"e_warp", "e_warp_part", "landmark_jitter", "e_tmp"}
"""Errors that a target has of its own: those of a result that is its target, whatever else was compared with it."""
LIKENESS = {"clip_i", "dino_i", "vgg_i", "identity_reference", "arcface_reference"}
"""Ideal for a result that is its reference."""
DRAWN = {"kid"}
"""Unbiased, so that equal sets may come out below 0."""


class Everything(Networks):
    """All networks, those that only a user can have at a tiny size with weights drawn from a seed."""

    def head_pose(self) -> HeadPose:
        """HopeNet of 8 channels."""
        torch.manual_seed(0)
        return HeadPose(self._once("hopenet", lambda: HopeNet(width=8, blocks=(1, 1, 1, 1)).eval()))

    def face_expression(self) -> FaceExpression:
        """Deep3DFaceRecon of 8 channels."""
        torch.manual_seed(0)
        return FaceExpression(self._once("deep3d", lambda: Deep3DFaceRecon(width=8, blocks=(1, 1, 1, 1)).eval()))


@pytest.fixture(scope="module")
def networks(metric_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Networks:
    folder = tmp_path_factory.mktemp("weights")
    with np.load(DATA) as file:
        for kind in ("clip", "dinov2"):
            names = [name for name in file.files if name.startswith(f"{kind}/")]
            torch.save({name.partition("/")[2]: torch.from_numpy(file[name]) for name in names}, folder / kind)
    channel_means(folder / "arcface")
    (folder / "seeded").touch()
    metric_store.ensure([name for spec in METRICS.values() for name in spec.needs if name in metric_store.records])
    files = {"clip-vit-l14": "clip", "dinov2": "dinov2", "arcface": "arcface", "hopenet": "seeded",
             "deep3dfacerecon": "seeded"}  # fmt: skip
    return Everything(metric_store, files={name: folder / file for name, file in files.items()})


@dataclass(frozen=True, eq=False)
class Take:
    """What a change works on: frames, faces, regions, and the reference at the size of the frames."""

    frames: list[Image]
    faces: list[Face]
    regions: list[np.ndarray]
    reference: Image
    reference_face: Face


@pytest.fixture(scope="module")
def take(shot) -> Take:
    first, side = shot.first(FRAMES), shot.frames[0].shape[0]
    scale = side / shot.reference.shape[0]
    picture = cv2.resize(shot.reference, (side, side), interpolation=cv2.INTER_AREA)
    landmarks = ((shot.reference_face.landmarks + 0.5) * scale - 0.5).astype(np.float32)
    return Take(first.frames, first.faces, first.regions, picture, replace(shot.reference_face, landmarks=landmarks))


def test_the_tables_of_this_file_know_every_metric() -> None:
    groups = [set(IDEAL), OWN, LIKENESS, DRAWN]
    assert sum(map(len, groups)) == len(METRICS) and set().union(*groups) == METRICS.keys()
    assert {name for names in CHANGES.values() for name in names[1]} == METRICS.keys()


@pytest.fixture(scope="module")
def untouched(shot, networks: Networks) -> ItemScores:
    return score_item(shot.first(FRAMES).item(), networks, sampling=FEW)


def test_no_metric_is_absent_and_the_ideal_is_met(untouched: ItemScores, networks: Networks) -> None:
    assert not untouched.absent
    sets = score_set([untouched.features, untouched.features])
    found = {**untouched.values, **sets.values}
    assert found.keys() == METRICS.keys()
    for name, value in IDEAL.items():
        assert found[name] == pytest.approx(value, abs=2e-3 if METRICS[name].level == "set" else 2e-5), name
    assert found["kid"] < 1


def test_the_targets_own_errors_are_its_results(untouched: ItemScores) -> None:
    for name in ("e_warp", "e_tmp"):
        np.testing.assert_array_equal(untouched.series[name], untouched.series[f"{name}_target"])
    assert all(untouched.values[name] > 0 for name in OWN)


def test_a_result_that_is_its_reference_is_most_like_it(shot, take: Take, networks: Networks) -> None:
    item = changed_item(shot, [take.reference] * FRAMES, [take.reference_face] * FRAMES)
    found = score_item(replace(item, reference=take.reference, reference_face=take.reference_face), networks, LIKENESS)
    assert found.values == {name: pytest.approx(1, abs=1e-5) for name in LIKENESS}


def changed_item(shot, frames: list[Image], faces: list[Face | None]) -> Item:
    return shot.first(FRAMES).item(frames, faces)


def blurred(take: Take, strength: int) -> tuple[list[Image], list[Face]]:
    return [cv2.GaussianBlur(frame, (0, 0), 0.8 * strength) for frame in take.frames], take.faces


def noisy(take: Take, strength: int) -> tuple[list[Image], list[Face]]:
    draw = np.random.default_rng(0)
    frames = [
        np.clip(frame + 8 * strength * draw.standard_normal(frame.shape), 0, 255).astype(np.uint8)
        for frame in take.frames
    ]
    return frames, take.faces


def flickering(take: Take, strength: int) -> tuple[list[Image], list[Face]]:
    frames = [
        np.clip(frame + 6.0 * strength * (index % 2) * region[..., None], 0, 255).astype(np.uint8)
        for index, (frame, region) in enumerate(zip(take.frames, take.regions, strict=True))
    ]
    return frames, take.faces


def tinted(take: Take, strength: int) -> tuple[list[Image], list[Face]]:
    tint = np.array([0, 12.0, -12.0]) * strength
    return [np.clip(frame + tint, 0, 255).astype(np.uint8) for frame in take.frames], take.faces


def reference_tinted(take: Take, strength: int) -> tuple[list[Image], list[Face]]:
    only = replace(take, frames=[take.reference] * FRAMES, faces=[take.reference_face] * FRAMES)
    return tinted(only, strength)


def reference_blurred(take: Take, strength: int) -> tuple[list[Image], list[Face]]:
    only = replace(take, frames=[take.reference] * FRAMES, faces=[take.reference_face] * FRAMES)
    return blurred(only, strength)


def turned(take: Take, strength: int) -> tuple[list[Image], list[Face]]:
    angle = np.radians(2.0 * strength)
    turn = np.eye(4)
    turn[[0, 0, 2, 2], [0, 2, 0, 2]] = np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)
    return take.frames, [replace(face, pose=turn @ face.pose) for face in take.faces]


def grimacing(take: Take, strength: int) -> tuple[list[Image], list[Face]]:
    more = np.zeros(52, np.float32)
    more[10:20] = 0.05 * strength
    return take.frames, [replace(face, blendshapes=face.blendshapes + more) for face in take.faces]


def trembling(take: Take, strength: int) -> tuple[list[Image], list[Face]]:
    """Irises, lips and lids off their places, from frame to frame otherwise."""
    draw, faces = np.random.default_rng(3), []
    for face in take.faces:
        landmarks = face.landmarks + 0.05 * strength * draw.standard_normal(face.landmarks.shape).astype(np.float32)
        landmarks[[*t.RIGHT_IRIS, *t.LEFT_IRIS], 0] += 0.3 * strength
        faces.append(replace(face, landmarks=landmarks))
    return take.frames, faces


Change = Callable[[Take, int], tuple[list[Image], list[Face]]]
CHANGES: Mapping[str, tuple[Change, tuple[str, ...]]] = {
    "blur": (
        blurred,
        ("psnr", "ssim", "rmse", "lpips_vgg", "lpips_alex", "lpips_background", "identity_target", "identity_outside",
         "expression_3dmm", "pose_hopenet", "expression_deep3d"),
    ),
    "noise": (noisy, ("e_warp", "e_warp_part", "e_tmp", "fid", "kid", "fvd", "lpips_vgg")),
    "flicker": (flickering, ("e_warp", "e_warp_part", "e_warp_ratio", "flicker", "e_tmp")),
    "tint": (tinted, ("arcface_outside",)),
    "tint of the reference": (reference_tinted, ("arcface_reference", "clip_i", "dino_i")),
    "blur of the reference": (reference_blurred, ("vgg_i", "vgg_i_gain", "identity_reference")),
    "turn": (turned, ("pose_error", "pose_euler_error")),
    "grimace": (grimacing, ("expression_error", "expression_error_l2")),
    "tremble": (
        trembling,
        ("gaze_error", "landmark_jitter", "jitter_ratio", "mouth_opening_correlation", "eye_opening_correlation"),
    ),
}  # fmt: skip
"""Kind of change -> how strongly to apply it, and the metrics that must get worse with every step."""


@pytest.mark.parametrize("kind", CHANGES)
def test_it_gets_worse_with_every_step(shot, take: Take, networks: Networks, kind: str) -> None:
    change, names = CHANGES[kind]
    found = []
    for strength in STRENGTHS:
        frames, faces = change(take, strength)
        item = changed_item(shot, frames, faces)
        if "reference" in kind:
            item = replace(item, reference=take.reference, reference_face=take.reference_face)
        scores = score_item(item, networks, names, FEW)
        sets = score_set([scores.features, scores.features], names).values
        found.append({**scores.values, **sets})
    for name in names:
        sign = 1 if METRICS[name].direction == "lower" else -1
        values = [sign * scores[name] for scores in found]
        assert all(a < b for a, b in pairwise(values)), f"{name}: {[scores[name] for scores in found]}"
