"""The person of the example clip, drawn from a face generator.

MobileStyleGAN (Belousov 2021) makes 1024 x 1024 faces of people who do not exist. Each of its layers is given a
style of its own here, so that a few coarse layers can relax a smile without changing who it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset8

from example_clip.landmarks import Landmarks
from faceloom.geometry import topology
from faceloom.weights import Store

Image = NDArray[np.uint8]
Styles = NDArray[np.float32]
WEIGHTS = (
    "mobilestylegan_mapping_xml",
    "mobilestylegan_mapping_bin",
    "mobilestylegan_synthesis_xml",
    "mobilestylegan_synthesis_bin",
)
SIZE = 1024
_SEED, _FACES, _MEAN_OF = 7, 700, 4000
_PERSON, _OPEN_MOUTH = 132, 179
_REFERENCES = {"person_17.jpg": 84}
_TRUNCATION = 0.85
_LAYERS = ((1, 4), (4, 7), (7, 10), (10, 13))
_COMPONENTS = 28
_STEP = 0.35
_DAMPING = 30.0
_PARTS_OF_LAYER = {"up": 0, "conv1": 1, "conv2": 2, "to_img": 3}


@dataclass(frozen=True, eq=False)
class Portrait:
    """A generated face: (1024, 1024, 3) uint8 RGB and its (478, 3) landmarks in the same pixels."""

    image: Image
    landmarks: NDArray[np.float64]


class Generator:
    """Mapping and synthesis network; ``store`` must hold ``WEIGHTS``."""

    def __init__(self, store: Store) -> None:
        core = openvino.Core()
        self._mapping = core.compile_model(core.read_model(store.path("mobilestylegan_mapping_xml")), "CPU")
        model, self.layers = _with_styles_per_layer(core.read_model(store.path("mobilestylegan_synthesis_xml")))
        self._synthesis = core.compile_model(model, "CPU")

    def styles(self, noise: NDArray[np.float64]) -> Styles:
        """(N, 512) styles of (N, 512) standard normal vectors."""
        return np.concatenate([self._mapping(row[None].astype(np.float32))[0] for row in noise])

    def image(self, styles: Styles) -> Image:
        """The face of (layers, 512) styles, one for each layer."""
        raw = self._synthesis(styles[:, None].astype(np.float32))[0][0]
        return np.rint(np.clip(raw * 0.5 + 0.5, 0, 1).transpose(1, 2, 0) * 255).astype(np.uint8)


def make_portraits(store: Store, landmarks: Landmarks) -> tuple[Portrait, Portrait]:
    """The person with lips closed and relaxed, and another face with its mouth open, for the inside of the mouth."""
    generator = Generator(store)
    faces = _truncated_faces(generator)
    person, other = (np.tile(faces[index], (generator.layers, 1)) for index in (_PERSON, _OPEN_MOUTH))
    relaxed = _relax(generator, landmarks, person, _principal_directions(faces))
    return _portrait(generator, landmarks, relaxed), _portrait(generator, landmarks, other)


def make_references(store: Store) -> dict[str, Image]:
    """Portraits to take parts from, (1024, 1024, 3) uint8 RGB by file name: red closed lips, and light eyes."""
    generator = Generator(store)
    faces = _truncated_faces(generator)
    return {name: generator.image(np.tile(faces[index], (generator.layers, 1))) for name, index in _REFERENCES.items()}


def _truncated_faces(generator: Generator) -> Styles:
    """(N, 512) styles of the faces that this module chooses from, drawn towards the average face."""
    rng = np.random.default_rng(_SEED)
    faces = generator.styles(rng.standard_normal((_FACES, 512)))
    mean = generator.styles(rng.standard_normal((_MEAN_OF, 512))).mean(axis=0)
    return mean + _TRUNCATION * (faces - mean)


def _portrait(generator: Generator, landmarks: Landmarks, styles: Styles) -> Portrait:
    image = generator.image(styles)
    return Portrait(image, landmarks(image))


def _principal_directions(styles: Styles) -> NDArray[np.float64]:
    """(components, 512): the main ways in which faces differ, one standard deviation long."""
    _, spread, axes = np.linalg.svd(styles - styles.mean(axis=0), full_matrices=False)
    return axes[:_COMPONENTS] * (spread[:_COMPONENTS, None] / np.sqrt(len(styles)))


def _relax(generator: Generator, landmarks: Landmarks, styles: Styles, directions: NDArray[np.float64]) -> Styles:
    """Lower the corners of a smiling mouth by Gauss-Newton steps on coarse styles; everything else should stay."""
    start = generator.image(styles)
    points = landmarks(start)[:, :2]
    goal = _Features(start, points, _unsmiling(points))
    moves = [(layers, direction) for layers in _LAYERS for direction in directions]
    for _ in range(2):
        now = goal.residual(styles, generator, landmarks)
        columns = [
            (goal.residual(_nudged(styles, [(layers, direction, _STEP)]), generator, landmarks) - now) / _STEP
            for layers, direction in moves
        ]
        slope = np.array(columns).T
        system = slope.T @ slope + _DAMPING * np.eye(len(moves))
        amounts = -np.linalg.solve(system, slope.T @ now)
        steps = [(layers, direction, amount) for (layers, direction), amount in zip(moves, amounts, strict=True)]
        styles = _nudged(styles, steps)
    return styles


def _nudged(styles: Styles, steps: list[tuple[tuple[int, int], NDArray[np.float64], float]]) -> Styles:
    result = styles.copy()
    for (first, last), direction, amount in steps:
        result[first:last] += amount * direction
    return result


def _unsmiling(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(478, 2) landmarks with the corners of the mouth lower and closer together."""
    corners = points[list(topology.MOUTH_CORNERS)]
    centre, half_width = corners.mean(axis=0), abs(corners[1, 0] - corners[0, 0]) / 2
    lips = list(topology.MOUTH_RING + topology.INNER_MOUTH_RING)
    across = (points[lips, 0] - centre[0]) / half_width
    wanted = points.copy()
    wanted[lips] += np.column_stack([-0.09 * half_width * across, 12.0 * across**2 - 2.0])
    return wanted


class _Features:
    """What the relaxed portrait is measured by: where lips and the rest of the face are, and its colours."""

    def __init__(self, image: Image, points: NDArray[np.float64], wanted: NDArray[np.float64]) -> None:
        lips = sorted({*topology.MOUTH_RING, *topology.INNER_MOUTH_RING})
        above = np.flatnonzero(points[:468, 1] < points[2, 1] - 4)
        self._indices = np.concatenate([lips, above])
        self._weights = np.repeat([0.75, 0.175], [len(lips), len(above)])[:, None]
        self._points = wanted[self._indices]
        mask = np.ones(image.shape[:2], np.float32)
        lower_face = points[[i for i in topology.FACE_OVAL if points[i, 1] > points[2, 1]]]
        cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(lower_face).astype(np.int32)), 0.0)
        self._mask = 12 * _thumbnail(cv2.erode(mask, np.ones((50, 50), np.uint8)))[..., None]
        self._colours = _thumbnail(image / np.float32(255))

    def residual(self, styles: Styles, generator: Generator, landmarks: Landmarks) -> NDArray[np.float64]:
        image = generator.image(styles)
        moved = (landmarks(image)[self._indices, :2] - self._points) * self._weights
        changed = (_thumbnail(image / np.float32(255)) - self._colours) * self._mask
        return np.concatenate([moved.ravel(), changed.ravel()])


def _thumbnail(image: NDArray) -> NDArray[np.float32]:
    return cv2.resize(image.astype(np.float32), (64, 64), interpolation=cv2.INTER_AREA)


def _with_styles_per_layer(model: openvino.Model) -> tuple[openvino.Model, int]:
    """Replace the one style input, shared by all layers, by ``styles`` (layers, 1, 512), coarse layers first."""
    shared = model.get_parameters()[0].output(0)
    uses = [(target, _layer_number(target)) for target in shared.get_target_inputs()]
    modulations = sorted(((number, target) for target, number in uses if number is not None), key=lambda pair: pair[0])
    styles = opset8.parameter([len(modulations), 1, 512], np.float32, name="styles")
    split = opset8.split(styles, opset8.constant(0), len(modulations))
    shape = opset8.constant(np.array([1, 512], np.int64))
    for index, (_, target) in enumerate(modulations):
        target.replace_source_output(opset8.reshape(split.output(index), shape, False).output(0))
    for target, number in uses:
        if number is None:
            target.replace_source_output(opset8.reshape(split.output(0), shape, False).output(0))
    return openvino.Model(model.get_results(), [styles], "styles_per_layer"), len(modulations)


def _layer_number(target: openvino.Input) -> int | None:
    """Position of a modulation among the layers, from the name of its weight, or None for other uses."""
    node = target.get_node()
    if node.get_type_name() != "MatMul":
        return None
    words = node.input(1).get_source_output().get_node().get_friendly_name().split(".")
    return 0 if words[1] == "conv1" else 1 + 3 * int(words[2]) + _PARTS_OF_LAYER[words[3]]
