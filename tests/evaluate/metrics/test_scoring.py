from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need torch: pip install 'faceloom[torch]'")

from faceloom.evaluate.item import ItemScores  # noqa: E402
from faceloom.evaluate.metrics.distributions import frechet_distance  # noqa: E402
from faceloom.evaluate.metrics.errors import MetricError  # noqa: E402
from faceloom.evaluate.metrics.registry import METRICS  # noqa: E402
from faceloom.evaluate.networks import Networks  # noqa: E402
from faceloom.evaluate.scorers.step import Sampling, Scene  # noqa: E402
from faceloom.evaluate.scoring import score_item, score_set  # noqa: E402
from faceloom.evaluate.warping import visible_in_both, warping_error  # noqa: E402
from faceloom.types import Attribute, Image  # noqa: E402
from faceloom.weights import Store  # noqa: E402

FEW = Sampling(lpips_vgg=1, part=2, identity=3, inception=2, clips=1, clip_length=9)
IDEAL = {
    "e_warp_ratio": 1,
    "psnr": math.inf,
    "ssim": 1,
    "rmse": 0,
    "lpips_vgg": 0,
    "lpips_alex": 0,
    "pose_error": 0,
    "pose_euler_error": 0,
    "expression_error": 0,
    "expression_error_l2": 0,
    "expression_3dmm": 0,
    "gaze_error": 0,
    "mouth_opening_correlation": 1,
    "eye_opening_correlation": 1,
    "vgg_i_gain": 0,
    "identity_outside": 1,
    "identity_target": 1,
    "lpips_background": 0,
    "jitter_ratio": 1,
    "flicker": 0,
}


@pytest.fixture(scope="module")
def networks(metric_store: Store) -> Networks:
    return Networks(metric_store)


@pytest.fixture(scope="module")
def untouched(shot, networks: Networks) -> ItemScores:
    return score_item(shot.item(), networks, sampling=FEW)


def test_a_result_that_is_its_target_has_the_ideal_values(untouched: ItemScores) -> None:
    for name, value in IDEAL.items():
        assert untouched.values[name] == pytest.approx(value, abs=2e-5), name


def test_every_metric_has_a_number_or_a_reason(untouched: ItemScores) -> None:
    per_item = {name for name, spec in METRICS.items() if spec.level == "item"}
    assert untouched.values.keys() | untouched.absent.keys() == per_item
    assert not untouched.values.keys() & untouched.absent.keys()
    assert untouched.absent["clip_i"] == "n/a (needs clip-vit-l14)"
    assert all(math.isfinite(value) or name == "psnr" for name, value in untouched.values.items())


def test_series_have_one_number_per_frame_or_pair(untouched: ItemScores) -> None:
    lengths = {name: len(series) for name, series in untouched.series.items()}
    pairs = [name for name in lengths if name.startswith(("e_warp", "e_tmp"))]  # e_tmp where its weights are
    assert {"e_warp", "e_warp_part", "e_warp_target"} <= set(pairs)
    assert {lengths.pop(name) for name in pairs} == {17}
    assert set(lengths.values()) == {18}
    assert np.count_nonzero(~np.isnan(untouched.series["lpips_vgg"])) == 1
    assert np.count_nonzero(~np.isnan(untouched.series["identity_target"])) == 3


def test_the_report_says_how_the_numbers_came_about(untouched: ItemScores) -> None:
    assert untouched.about["flow"] == "DIS medium"
    assert untouched.about["frames with both faces"] == "18 of 18"
    assert untouched.about["flicker"] == "18 frames, above 6.25 Hz"


def test_e_warp_is_the_mean_of_the_pure_function(shot, networks: Networks) -> None:
    result = [cv2.GaussianBlur(frame, (0, 0), 1 + index % 2) for index, frame in enumerate(shot.frames)]
    found = score_item(shot.item(result), networks, {"e_warp"})
    expected = []
    for index in range(len(result) - 1):
        a, b = shot.frames[index : index + 2]
        forward = networks.flow.flow(a, b)
        valid = visible_in_both(forward, networks.flow.flow(b, a))
        expected.append(warping_error(result[index], result[index + 1], forward, valid).squared)
    np.testing.assert_allclose(found.series["e_warp"], expected, rtol=1e-6)
    assert found.values == {"e_warp": pytest.approx(np.mean(expected))}
    assert set(found.series) == {"e_warp", "e_warp_target"}
    assert not found.features


def brightened(frame: Image, region: np.ndarray, amount: float) -> Image:
    return np.clip(frame + amount * region[..., None], 0, 255).astype(np.uint8)


PERTURBATIONS: dict[str, tuple[Callable, dict[str, str]]] = {
    "shift": (
        lambda frame, region, index, s: np.roll(frame, s, axis=1),
        {"psnr": "falls", "ssim": "falls", "rmse": "rises", "lpips_alex": "rises", "lpips_background": "rises"},
    ),
    "blur": (
        lambda frame, region, index, s: cv2.GaussianBlur(frame, (0, 0), 0.6 * s),
        {"psnr": "falls", "ssim": "falls", "rmse": "rises", "lpips_alex": "rises", "lpips_background": "rises"},
    ),
    "noise": (
        lambda frame, region, index, s: np.clip(
            frame + 5 * s * np.random.default_rng(index).standard_normal(frame.shape), 0, 255
        ).astype(np.uint8),
        {"psnr": "falls", "ssim": "falls", "lpips_alex": "rises", "e_warp": "rises", "e_warp_part": "rises"},
    ),
    "flicker": (
        lambda frame, region, index, s: brightened(frame, region, 6 * s * (index % 2)),
        {"e_warp": "rises", "e_warp_part": "rises", "e_warp_ratio": "rises", "flicker": "rises", "psnr": "falls"},
    ),
}


@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_metrics_follow_the_strength_of_a_perturbation(shot, networks: Networks, kind: str) -> None:
    change, directions = PERTURBATIONS[kind]
    first, found = shot.first(9), []
    for strength in (1, 2, 3, 4, 5):
        pairs = zip(first.frames, first.regions, strict=True)
        frames = [change(frame, region, index, strength) for index, (frame, region) in enumerate(pairs)]
        found.append(score_item(first.item(frames), networks, directions).values)
    for name, direction in directions.items():
        values = [scores[name] for scores in found]
        ordered = values if direction == "rises" else values[::-1]
        assert all(a < b for a, b in pairwise(ordered)), f"{name}: {values}"


def test_what_lies_in_the_region_is_no_background(shot, networks: Networks) -> None:
    result = [brightened(frame, region, 60) for frame, region in zip(shot.frames, shot.regions, strict=True)]
    names = {"lpips_background", "lpips_alex", "identity_outside", "identity_target"}
    found = score_item(shot.item(result), networks, names, FEW).values
    assert found["lpips_background"] == 0
    assert found["lpips_alex"] > 0.005
    assert found["identity_outside"] == pytest.approx(1, abs=1e-6)
    assert found["identity_target"] < 0.99


def test_the_reference_itself_is_the_most_faithful_result(shot, networks: Networks) -> None:
    side = 160
    scale = side / shot.reference.shape[0]
    picture = cv2.resize(shot.reference, (side, side), interpolation=cv2.INTER_AREA)
    landmarks = ((shot.reference_face.landmarks + 0.5) * scale - 0.5).astype(np.float32)
    face = replace(shot.reference_face, landmarks=landmarks)
    item = shot.item([picture] * 18, [face] * 18)
    found = score_item(item, networks, {"vgg_i", "vgg_i_gain", "identity_reference"}, FEW).values
    assert found["vgg_i"] > 0.85
    assert found["vgg_i_gain"] > 0.1
    assert found["identity_reference"] > 0.9


def test_frames_without_a_face_are_left_out_and_counted(shot, networks: Networks) -> None:
    faces = [None if index in (4, 5) else face for index, face in enumerate(shot.faces)]
    found = score_item(shot.item(faces=faces), networks, {"pose_error", "landmark_jitter", "expression_error"})
    assert np.flatnonzero(np.isnan(found.series["pose_error"])).tolist() == [4, 5]
    assert np.flatnonzero(np.isnan(found.series["landmark_jitter"])).tolist() == [0, 3, 4, 5, 6, 17]
    assert found.values["pose_error"] == pytest.approx(0, abs=1e-6)
    assert found.about["frames with both faces"] == "16 of 18"


def test_a_result_without_any_face_gives_no_number_and_no_error(shot, networks: Networks) -> None:
    names = {"pose_error", "gaze_error", "vgg_i", "identity_target", "mouth_opening_correlation", "jitter_ratio"}
    found = score_item(shot.item(faces=[None] * 18), networks, names, FEW)
    assert found.values.keys() == names
    assert all(math.isnan(value) for value in found.values.values())


def test_a_short_clip_has_no_flicker_and_no_fvd_features(shot, networks: Networks) -> None:
    found = score_item(shot.first(7).item(), networks, {"flicker", "fvd"})
    assert math.isnan(found.values["flicker"])
    assert found.features["i3d.result"].shape == (0, 400)
    assert score_set([found.features], {"fvd"}).absent["fvd"] == "n/a (0 samples, at least 2 are needed)"


@pytest.mark.parametrize(
    ("name", "message"),
    [("target", "target frames end after 17"), ("result", "result frames end after 17"), ("regions", "regions end")],
)
def test_streams_of_different_length_are_refused(shot, networks: Networks, name: str, message: str) -> None:
    item = shot.item()
    short = replace(item, **{name: list(getattr(item, name))[:-1]})
    with pytest.raises(MetricError, match=f"shot: the {message}"):
        score_item(short, networks, {"rmse"})


def test_faces_must_be_as_many_as_frames(shot, networks: Networks) -> None:
    with pytest.raises(MetricError, match="18 faces of the target and 17 of the result"):
        score_item(shot.item(faces=list(shot.faces[:-1])), networks, {"rmse"})
    with pytest.raises(MetricError, match="faces end after 17"):
        fewer = replace(shot.item(), target_faces=shot.faces[:17], result_faces=shot.faces[:17])
        score_item(fewer, networks, {"rmse"})
    with pytest.raises(MetricError, match="at least one frame"):
        score_item(replace(shot.item(), target_faces=[], result_faces=[]), networks, {"rmse"})


def test_sizes_must_agree_and_the_message_names_the_frame(shot, networks: Networks) -> None:
    frames = [*shot.frames[:3], shot.frames[3][:-1], *shot.frames[4:]]
    with pytest.raises(MetricError, match=r"shot, frame 3: .*must all be of the size"):
        score_item(shot.item(frames), networks, {"rmse"})


def test_missing_weights_are_a_reason_and_no_error(shot, tmp_path: Path) -> None:
    found = score_item(shot.item(), Networks(Store(tmp_path)), {"rmse", "lpips_vgg", "fid", "identity_outside"})
    assert found.values.keys() == {"rmse"}
    assert found.absent == {
        "fid": "n/a (needs inception_fid)",
        "lpips_vgg": "n/a (needs lpips_vgg16, lpips_lin_vgg)",
        "identity_outside": "n/a (needs sface)",
    }


def test_an_unknown_metric_is_refused(shot, networks: Networks) -> None:
    with pytest.raises(MetricError, match="no metric 'beauty'"):
        score_item(shot.item(), networks, {"beauty"})


def test_features_are_stored_and_scored_later(untouched: ItemScores, tmp_path: Path) -> None:
    assert {name: value.shape for name, value in untouched.features.items()} == {
        "inception.target": (2, 2048),
        "inception.result": (2, 2048),
        "i3d.target": (1, 400),
        "i3d.result": (1, 400),
    }
    np.savez(tmp_path / "one.npz", **untouched.features)
    with np.load(tmp_path / "one.npz") as stored:
        found = score_set([stored, stored])
    assert found.values["fid"] == pytest.approx(0, abs=1e-3)
    assert found.values["fvd"] == pytest.approx(0, abs=1e-3)
    assert found.samples == {"fvd": 2, "fid": 4, "kid": 4}
    assert "biased upwards" in found.warnings["fid"]


def test_a_set_is_scored_over_all_items_in_the_units_of_the_table() -> None:
    rng = np.random.default_rng(0)
    items = [
        {"inception.target": rng.normal(0, 1, (5, 6)), "inception.result": rng.normal(shift, 1, (5, 6))}
        for shift in (0.5, 1.0, 1.5)
    ]
    found = score_set(items)
    target, result = (np.concatenate([item[f"inception.{side}"] for item in items]) for side in ("target", "result"))
    assert found.values["fid"] == pytest.approx(frechet_distance(target, result))
    assert found.values["kid"] > 100  # in thousandths
    assert found.absent["fvd"] == "n/a (0 samples, at least 2 are needed)"
    assert found.warnings == {}


def test_metrics_per_item_are_passed_over_in_a_set() -> None:
    assert score_set([], {"rmse"}).values == {}


@pytest.mark.parametrize(("frames", "count"), [(100, 8), (7, 7), (3, 8), (120, 1)])
def test_samples_are_spread_evenly(shot, frames: int, count: int) -> None:
    scene = Scene(frames, Attribute.MOUTH, shot.reference, shot.reference_face, 25.0, Sampling())
    chosen = sorted(scene.spread(count))
    assert len(chosen) == min(frames, count)
    assert chosen[0] >= 0
    assert chosen[-1] < frames
    if count < frames:
        assert abs(chosen[0] - (frames - 1 - chosen[-1])) <= 1
