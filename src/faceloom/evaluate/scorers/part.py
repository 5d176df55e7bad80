"""Is it the reference's part: likeness of the edited part to the reference's, cut out upright."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from faceloom.evaluate.metrics.perceptual import (
    CLIP_DEVIATION,
    CLIP_MEAN,
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    class_token,
    cosine,
    vgg_features,
    vgg_similarity,
)
from faceloom.evaluate.metrics.regions import PartView, part_view
from faceloom.evaluate.networks import Networks
from faceloom.evaluate.scorers.step import NOTHING, Scene, Scored, Step, known_mean
from faceloom.geometry.partcover import face_scale
from faceloom.types import Face, Image, Points

_VGG_SIDE, _TOKEN_SIDE = 128, 224


class PartScorer:
    """One likeness of the part in result and reference, in frames spread over the clip.

    A reference in which the face is larger than in the first of these frames is reduced to its size.

    name     of the metric.
    side     of the part's square, pixels.
    look     from a part's view to what can be compared.
    compare  likeness of two of them.
    scene    of the item.
    gain     name of a second metric, the likeness less that of the target's own part; None to leave it out.
    """

    def __init__(
        self,
        name: str,
        side: int,
        look: Callable[[PartView], Any],
        compare: Callable[[Any, Any], float],
        scene: Scene,
        gain: str | None = None,
    ) -> None:
        self._name, self._side, self._look, self._compare = name, side, look, compare
        self._sample = scene.spread(scene.sampling.part)
        self._gain = gain
        self._series = {metric: np.full(scene.frames, NOTHING) for metric in (name, gain) if metric is not None}
        self._scene = scene
        self._reference: Any = None

    def update(self, step: Step) -> None:
        """See ``Scorer``."""
        if step.index not in self._sample or step.result_face is None:
            return
        likeness = self._likeness(step.result, step.result_face)
        self._series[self._name][step.index] = likeness
        if self._gain is not None and step.target_face is not None:
            self._series[self._gain][step.index] = likeness - self._likeness(step.target, step.target_face)

    def _likeness(self, image: Image, face: Face) -> float:
        if self._reference is None:
            self._reference = self._seen(*_as_small(self._scene.reference, self._scene.reference_face, face))
        return self._compare(self._seen(image, face.landmarks), self._reference)

    def _seen(self, image: Image, landmarks: Points) -> Any:
        return self._look(part_view(image, landmarks, self._scene.attribute, self._side))

    def finish(self) -> Scored:
        """See ``Scorer``."""
        values = {name: known_mean(series) for name, series in self._series.items()}
        return Scored(values, self._series, about={"part frames": str(len(self._sample))})


def _as_small(image: Image, face: Face, other: Face) -> tuple[Image, Points]:
    """A picture and its landmarks with the face no larger than another, so that sharpness is not what differs."""
    shrink = face_scale(other.landmarks) / face_scale(face.landmarks)
    if shrink >= 1:
        return image, face.landmarks
    height, width = image.shape[:2]
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    points = np.asarray(face.landmarks, np.float64).copy()
    points[:, :2] = (points[:, :2] + 0.5) * (size[0] / width, size[1] / height) - 0.5
    points[:, 2] *= shrink
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), points


def part_scorers(wanted: Sequence[str], networks: Networks, scene: Scene) -> list[PartScorer]:
    """One scorer each for VGG-I (with or without its gain), CLIP-I and DINO-I, if they are wanted."""
    scorers = []
    if {"vgg_i", "vgg_i_gain"} & set(wanted):
        scorers.append(_vgg(networks, scene, "vgg_i_gain" if "vgg_i_gain" in wanted else None))
    if "clip_i" in wanted:
        scorers.append(_clip(networks, scene))
    if "dino_i" in wanted:
        scorers.append(_dino(networks, scene))
    return scorers


def _vgg(networks: Networks, scene: Scene, gain: str | None) -> PartScorer:
    trunk = networks.lpips("vgg").trunk
    return PartScorer("vgg_i", _VGG_SIDE, lambda view: vgg_features(trunk, view), vgg_similarity, scene, gain)


def _clip(networks: Networks, scene: Scene) -> PartScorer:
    net = networks.vit("clip-vit-l14")
    return PartScorer(
        "clip_i", _TOKEN_SIDE, lambda view: class_token(net, view.image, CLIP_MEAN, CLIP_DEVIATION), cosine, scene
    )


def _dino(networks: Networks, scene: Scene) -> PartScorer:
    net = networks.vit("dinov2")
    return PartScorer(
        "dino_i",
        _TOKEN_SIDE,
        lambda view: class_token(net, view.image, IMAGENET_MEAN, IMAGENET_DEVIATION),
        cosine,
        scene,
    )
