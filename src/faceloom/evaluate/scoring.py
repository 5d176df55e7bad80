"""Scores of one edited clip, and of the whole set that its features belong to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceloom.evaluate.item import Item, ItemScores, SetScores
from faceloom.evaluate.metrics.distributions import MINIMUM, frechet_distance, frechet_warning, kernel_distance
from faceloom.evaluate.metrics.errors import MetricError
from faceloom.evaluate.metrics.pose import angle_error, coefficient_distance
from faceloom.evaluate.metrics.registry import METRICS, chosen
from faceloom.evaluate.networks import Networks
from faceloom.evaluate.scorers.faces import FaceScorer
from faceloom.evaluate.scorers.features import I3DScorer, InceptionScorer
from faceloom.evaluate.scorers.flicker import FlickerScorer
from faceloom.evaluate.scorers.identity import IdentityScorer
from faceloom.evaluate.scorers.lpips import LpipsScorer
from faceloom.evaluate.scorers.meshflow import MeshFlowScorer
from faceloom.evaluate.scorers.morphable import MorphableScorer
from faceloom.evaluate.scorers.part import part_scorers
from faceloom.evaluate.scorers.pixels import PixelScorer
from faceloom.evaluate.scorers.regressed import RegressedScorer
from faceloom.evaluate.scorers.step import Sampling, Scene, Scored, Scorer, Step
from faceloom.evaluate.scorers.warp import WarpScorer

_FACES = {
    "pose_error",
    "pose_euler_error",
    "expression_error",
    "expression_error_l2",
    "gaze_error",
    "mouth_opening_correlation",
    "eye_opening_correlation",
    "landmark_jitter",
    "jitter_ratio",
}
_SFACE = {"outside": "identity_outside", "target": "identity_target", "reference": "identity_reference"}
_ARCFACE = {"outside": "arcface_outside", "reference": "arcface_reference"}
_SETS = {"fid": "inception", "kid": "inception", "fvd": "i3d"}
"""Metric over a set -> the features it is computed from."""
_OWNERS = {"e_warp_target": "e_warp", "e_tmp_target": "e_tmp"}
"""Series of the target's own errors -> the metric that they stand beside."""


def score_item(
    item: Item, networks: Networks, metrics: Collection[str] | None = None, sampling: Sampling | None = None
) -> ItemScores:
    """Score one edited clip in one pass over its frames.

    Args:
        item: target, result, regions, faces and reference.
        networks: loaded once and shared by all items.
        metrics: names of ``registry.METRICS``, None for all. Metrics over a set ("fid") are wanted by name too: their
            features are kept.
        sampling: how many frames the slow networks see; None for the usual.

    Returns:
        Values, series, features, and the reason for each metric that is absent. Memory grows with the length only by
        the faces and some numbers a frame.

    Raises:
        MetricError: an unknown metric; no frames; frames, regions and faces that do not match in number or size (the
            message names the item and the frame).
        WeightsError: a weight that is there but does not fit.
        FaceloomError: a metric needs torch, which is not installed.
    """
    wanted = {spec.name for spec in chosen(metrics)}
    absent = networks.absent(wanted)
    frames = len(item.target_faces)
    if len(item.result_faces) != frames or frames == 0:
        raise MetricError(
            f"{item.name}: {frames} faces of the target and {len(item.result_faces)} of the result; one per frame is "
            "needed (None where there is none), and at least one frame"
        )
    scene = Scene(frames, item.attribute, item.reference, item.reference_face, item.fps, sampling or Sampling())
    scorers = list(_scorers(wanted - absent.keys(), networks, scene))
    for step in _steps(item):
        for scorer in scorers:
            scorer.update(step)
    return _merged(item.name, wanted, absent, [scorer.finish() for scorer in scorers])


def score_set(features: Iterable[Mapping[str, NDArray[Any]]], metrics: Collection[str] | None = None) -> SetScores:
    """FID, KID and FVD between the targets and the results of all items of one method.

    Args:
        features: ``ItemScores.features`` of every item, or what ``np.load`` gives of the saved file. Read once; of each
            item only what the metrics need is kept.
        metrics: names, None for all over sets; names of metrics per item are passed over.

    Returns:
        A metric for which too few samples were stored (under 2 a side) is absent, and its reason says so; one that
        could be computed, but from fewer samples than its features have dimensions, carries a warning about its bias.

    Raises:
        MetricError: an unknown metric, or features that do not match.
    """
    wanted = [spec.name for spec in chosen(metrics, "set")]
    kept: dict[str, list[NDArray[Any]]] = {}
    for item in features:
        for kind in sorted({_SETS[name] for name in wanted}):
            for side in ("target", "result"):
                if f"{kind}.{side}" in item:
                    kept.setdefault(f"{kind}.{side}", []).append(item[f"{kind}.{side}"])
    values, absent, warnings, samples = {}, {}, {}, {}
    for name in wanted:
        target, result = (
            np.concatenate(kept.get(f"{_SETS[name]}.{side}", [np.empty((0, 1))])) for side in ("target", "result")
        )
        samples[name] = min(len(target), len(result))
        if samples[name] < MINIMUM:
            absent[name] = f"n/a ({samples[name]} samples, at least {MINIMUM} are needed)"
            continue
        distance = kernel_distance if name == "kid" else frechet_distance
        values[name] = METRICS[name].scale * distance(target, result)
        warning = None if name == "kid" else frechet_warning(samples[name], target.shape[1])
        if warning:
            warnings[name] = warning
    return SetScores(values, absent, warnings, samples)


def _scorers(wanted: set[str], networks: Networks, scene: Scene) -> Iterator[Scorer]:
    """The scorers that the wanted metrics need, and no other."""
    sampling, every = scene.sampling, frozenset(range(scene.frames))
    if wanted & {"e_warp", "e_warp_part", "e_warp_ratio"}:
        yield WarpScorer(networks.flow, networks.flow_name)
    if wanted & {"psnr", "ssim", "rmse"}:
        yield PixelScorer()
    if wanted & {"lpips_alex", "lpips_background"}:
        outside = "lpips_background" in wanted
        yield LpipsScorer(networks.lpips("alex"), "lpips_alex", scene, every, outside=outside)
    if "lpips_vgg" in wanted:
        sample = scene.spread(sampling.lpips_vgg)
        yield LpipsScorer(networks.lpips("vgg"), "lpips_vgg", scene, sample, outside=False)
    if wanted & _FACES:
        yield FaceScorer()
    if "expression_3dmm" in wanted:
        yield MorphableScorer(networks.morphable())
    if "pose_hopenet" in wanted:
        yield RegressedScorer("pose_hopenet", networks.head_pose().angles, angle_error, scene)
    if "expression_deep3d" in wanted:
        look = networks.face_expression().coefficients
        yield RegressedScorer("expression_deep3d", look, coefficient_distance, scene)
    if "e_tmp" in wanted:
        yield MeshFlowScorer(networks.morphable(), networks.face_model())
    yield from part_scorers(sorted(wanted), networks, scene)
    if names := _only(_SFACE, wanted):
        yield IdentityScorer(networks.embedder(), names, scene)
    if names := _only(_ARCFACE, wanted):
        yield IdentityScorer(networks.arcface(), names, scene)
    if "flicker" in wanted:
        yield FlickerScorer(scene)
    if wanted & {"fid", "kid"}:
        yield InceptionScorer(networks.inception(), scene)
    if "fvd" in wanted:
        yield I3DScorer(networks.i3d(), scene)


def _only(names: Mapping[str, str], wanted: set[str]) -> dict[str, str]:
    return {kind: name for kind, name in names.items() if name in wanted}


def _steps(item: Item) -> Iterator[Step]:
    """The frames of an item, checked to be as many and of the same size on both sides."""
    streams: dict[str, Iterable[Any]] = {
        "target frames": item.target,
        "result frames": item.result,
        "regions": item.regions,
        "faces": zip(item.target_faces, item.result_faces, strict=True),
    }
    first: tuple[int, ...] | None = None
    for index, entry in enumerate(zip_longest(*streams.values())):
        ended = [name for name, value in zip(streams, entry, strict=True) if value is None]
        if ended:
            raise MetricError(f"{item.name}: the {ended[0]} end after {index} frames, the others go on")
        target, result, region, (target_face, result_face) = entry
        first = target.shape if first is None else first
        if target.shape != first or result.shape != first or np.shape(region) != first[:2]:
            raise MetricError(
                f"{item.name}, frame {index}: target {target.shape}, result {result.shape} and region "
                f"{np.shape(region)} must all be of the size of the first frame, {first}"
            )
        yield Step(index, target, result, np.asarray(region) > 0, target_face, result_face)


def _merged(name: str, wanted: set[str], absent: Mapping[str, str], found: list[Scored]) -> ItemScores:
    values: dict[str, float] = {}
    series: dict[str, NDArray[np.float64]] = {}
    features: dict[str, NDArray[np.float32]] = {}
    about: dict[str, str] = {}
    for scored in found:
        values |= {key: METRICS[key].scale * value for key, value in scored.values.items() if key in wanted}
        series |= {key: _scale(key) * numbers for key, numbers in scored.series.items() if _owner(key) in wanted}
        features |= scored.features
        about |= scored.about
    ordered = {key: values[key] for key in METRICS if key in values}
    return ItemScores(name, ordered, series, absent, features, about)


def _owner(series: str) -> str:
    """The metric that a series belongs to."""
    return _OWNERS.get(series, series)


def _scale(series: str) -> float:
    return METRICS[_owner(series)].scale
