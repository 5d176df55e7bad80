"""A small morphable model, and clips whose faces are drawn with it, so that everything about them is known."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from faceloom.geometry.mesh_texture import take_texture
from faceloom.geometry.rasteriser import rasterise
from faceloom.perceive.morphable import MorphableModel, MorphableParameters, MotionTemplate, camera_of
from faceloom.train.recipe import build_recipe_of
from faceloom.train.unifacegan.clips import ClipEntry, PackedClip, write_clip, write_index
from faceloom.train.unifacegan.recipe import UniFaceGANRecipe
from support.meshes import sphere

SIDE = 32
# Places of eyes, nose and mouth on the unit disc, y down.
_EYE, _NOSE, _MOUTH = (0.35, -0.3), (0.0, 0.1), (0.3, 0.45)

TINY: dict[str, Any] = {
    "image_size": SIDE,
    "widths": [8, 12, 16],
    "residual_blocks": 1,
    "appearance_widths": [8, 12, 16],
    "attention_side": 16,
    "discriminator_widths": [8, 8],
    "scales": 2,
}


@cache
def ball() -> MorphableModel:
    """A head of 1 mm radius; two numbers of the shape make it wide and tall, one of the expression drops its chin."""
    points, triangles = sphere((0, 0, 0), 1.0, rings=24)
    mean = (points * [1, -1, -1] * 1000).astype(np.float32)  # the model's y is up, its z out of the face
    shape, expression = np.zeros((mean.size, 40), np.float32), np.zeros((mean.size, 10), np.float32)
    shape[0::3, 0], shape[1::3, 1] = mean[:, 0] * 0.2, mean[:, 1] * 0.2
    expression[1::3, 0] = np.minimum(mean[:, 1] + 300, 0) * 0.3
    targets = np.zeros((68, 2))
    targets[36:42], targets[42:48] = (-_EYE[0], _EYE[1]), _EYE
    targets[30], targets[48], targets[54] = _NOSE, (-_MOUTH[0], _MOUTH[1]), _MOUTH
    front = np.flatnonzero(points[:, 2] < 0)
    nearest = np.linalg.norm(points[front, None, :2] - targets[None], axis=2).argmin(axis=0)
    return MorphableModel(mean, shape, expression, triangles, front[nearest])


def pose(yaw: float = 0.0, x: float = 15.5, y: float = 15.5, radius: float = 9.0) -> MorphableParameters:
    """The ball at (x, y) of a picture, turned by degrees."""
    rotation = Rotation.from_euler("Y", yaw, degrees=True).as_matrix()
    camera = camera_of(radius / 1000, rotation, [x, y, 0.0])
    return MorphableParameters(camera, np.zeros(40, np.float32), np.zeros(10, np.float32))


def skin(person: int) -> NDArray[np.float32]:
    """(V, 3) colours in [0, 1] of the ball, smooth over its surface, a person's own."""
    x, y, z = (ball().mean / 1000).T
    tone = np.random.default_rng(person).uniform(0.3, 0.7, 3)
    return np.clip(tone + 0.25 * np.stack([np.sin(3 * x), np.cos(2 * y), x * y + 0 * z], axis=1), 0, 1).astype(
        np.float32
    )


def photograph(person: int, face: MorphableParameters, side: int = SIDE) -> NDArray[np.uint8]:
    """(side, side, 3): the ball in front of a gradient that belongs to the person."""
    raster = rasterise(ball().vertices(face), ball().triangles, side, side, soft=False)
    ramp = np.linspace(0, 1, side, dtype=np.float32)
    picture = np.stack(
        [np.tile(ramp, (side, 1)), np.tile(ramp[:, None], (1, side)), np.full((side, side), 0.2 * person)]
    )
    picture = np.where((raster.triangle >= 0)[..., None], raster.interpolate(skin(person)), picture.transpose(1, 2, 0))
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8)


def clip_of(person: int, frames: int = 5, side: int = SIDE) -> PackedClip:
    """A head that turns and drifts; the middle frame begins a new shot."""
    scale = side / SIDE
    faces = [
        pose(8.0 * index - 10, (14 + index) * scale, 15.5 * scale, (8.5 + person / 2) * scale)
        for index in range(frames)
    ]
    pictures = [photograph(person, face, side) for face in faces]
    model = ball()
    sides = [
        take_texture(picture.astype(np.float32) / 255, model.vertices(face), model.triangles, model.mirror).side
        for picture, face in zip(pictures, faces, strict=True)
    ]
    motion = MotionTemplate.of(faces, [Fraction(index, 25) for index in range(frames)], side, side)
    follows = np.ones(frames, bool)
    follows[[0, frames // 2]] = False
    return PackedClip(np.stack(pictures), motion, np.rint(np.stack(sides) * 255).astype(np.uint8), follows)


def packed_clips(folder: Path, people: int = 4, frames: int = 5, side: int = SIDE) -> Path:
    """A folder as ``pack_clips`` leaves it, with one clip a person: person_0.mp4 and so on."""
    entries: list[ClipEntry] = [
        write_clip(folder, f"person_{person}", f"person_{person}.mp4", clip_of(person, frames, side))
        for person in range(people)
    ]
    write_index(folder, side, entries)
    return folder


def tiny_recipe(**sections: Any) -> UniFaceGANRecipe:
    """Ten steps of a tiny model on episodes of 32 pixels, with sections replaced by keyword."""
    run = {"samples": 40, "precision": "fp32", "log_every": 5, "sheet_every": 0}
    values = {
        "model": TINY,
        "data": {"hold_out": ["person_3*"]},
        "optimiser": {"learning_rate": 1e-3, "beta1": 0.5, "warmup_steps": 0},
        "stages": [{"size": SIDE, "batch": 4}],
    }
    return build_recipe_of(UniFaceGANRecipe, {**values, **sections, "run": {**run, **sections.get("run", {})}})
