"""The face that is put on: a picture on the surface of its own morphable head, measured once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from faceloom.errors import FaceError
from faceloom.geometry import warp
from faceloom.geometry.mesh_texture import MeshTexture, sample_at, take_texture
from faceloom.geometry.partcover import face_scale
from faceloom.geometry.rasteriser import Raster
from faceloom.methods.face_look import look_at
from faceloom.methods.surround import skin_statistics
from faceloom.methods.unifacegan.anchors import Anchors, find_anchors
from faceloom.methods.unifacegan.fitting import FaceFitter
from faceloom.methods.unifacegan.light import face_sharpness
from faceloom.methods.unifacegan.skin import SKIN, face_pixels, features, skin_alike, tint_step
from faceloom.perceive.morphable import MorphableParameters, head_angles
from faceloom.types import Box, FloatImage, Image, Matte, Source

MOST_YAW = 45.0
"""Degrees from frontal up to which a picture shows enough of a face to put it on somebody else."""
_COVERED = 17.0
"""``skin.tint_step`` above which a face counts as covered."""
_LARGEST = 320.0
"""Distance between the eyes, pixels, above which a picture is reduced: no frame shows more."""
_ZOOMS = np.geomspace(0.25, 8.0, 9)


@dataclass(frozen=True, eq=False)
class Identity:
    """A face to be drawn.

    parameters  of the face in ``levels[0]``; neutral (V, 3) its head at rest.
    landmarks   (478, 3) float64 pixels of ``levels[0]``.
    anchors     the landmarks on the surface.
    levels      the picture and its halvings, float32 RGB in [0, 1].
    own, opposite, side, trust   see ``mesh_texture.MeshTexture``; hair over the face counts as not seen.
    skin        (K, 3) colours of the landmarks ``SKIN``; skin_trust (K,) what they are worth.
    sharpness   (Z, 2) when drawn at each of ``_ZOOMS`` picture pixels a frame pixel.
    """

    parameters: MorphableParameters
    neutral: NDArray[np.float32]
    landmarks: NDArray[np.float64]
    anchors: Anchors
    levels: list[NDArray[np.float32]]
    own: NDArray[np.float32]
    opposite: NDArray[np.float32]
    side: NDArray[np.float32]
    trust: NDArray[np.float32]
    skin: NDArray[np.float64]
    skin_trust: NDArray[np.float64]
    sharpness: NDArray[np.float64]

    def draw(self, raster: Raster, zoom: float) -> tuple[FloatImage, Matte]:
        """The face as ``raster`` sees it, (h, w, 3) float32, and how far it is to be believed, (h, w) in [0, 1].

        zoom  picture pixels a frame pixel; the picture is reduced accordingly, without aliasing.
        """
        fields = raster.interpolate(np.column_stack([self.own, self.opposite, self.side, self.trust]))
        drawn = warp.sample_minified(self.levels, np.ascontiguousarray(fields[..., :2]), zoom)
        side = fields[..., 4:5]
        if float(side[raster.triangle >= 0].min(initial=1.0)) < 0.99:
            opposite = warp.sample_minified(self.levels, np.ascontiguousarray(fields[..., 2:4]), zoom)
            drawn = opposite + side * (drawn - opposite)
        return drawn, raster.coverage * fields[..., 5]

    def sharpness_at(self, zoom: float) -> NDArray[np.float64]:
        """(2,) sharpness of the face drawn at ``zoom`` picture pixels a frame pixel."""
        where = np.log(np.clip(zoom, _ZOOMS[0], _ZOOMS[-1]))
        return np.array([np.interp(where, np.log(_ZOOMS), self.sharpness[:, band]) for band in range(2)])


def read_identity(source: Source, fitter: FaceFitter) -> Identity:
    """Fit and measure the face of a picture. Raises ``FaceError`` for one that looks away or is covered."""
    image, landmarks = _cut(source.image, source.face.landmarks.astype(np.float64))
    parameters = fitter.fit(image, landmarks)
    yaw = head_angles(parameters.camera)[0]
    if abs(yaw) > MOST_YAW:
        raise FaceError(
            f"{source.path}: the head is turned by {abs(yaw):.0f} degrees, and more than half of the face cannot be "
            f"seen; use a picture within {MOST_YAW:.0f} degrees of frontal, best within 25"
        )
    if tint_step(image, landmarks) > _COVERED:
        raise FaceError(
            f"{source.path}: the lower half of the face does not have the colour of the upper one; a mask, a scarf or "
            "a hand seems to cover it. Use a picture that shows the whole face"
        )
    model, picture = fitter.model, image.astype(np.float32) / np.float32(255)
    texture = take_texture(picture, model.vertices(parameters), model.triangles, model.mirror)
    texture = _without_hair(texture, landmarks, look_at(image, landmarks).colours[list(SKIN)])
    skin, skin_trust = _skin_colours(texture, landmarks)
    levels = warp.minified(picture)
    return Identity(
        parameters,
        model.neutral(parameters.shape),
        landmarks,
        find_anchors(model, parameters, landmarks, fitter.deviation),
        levels,
        texture.own,
        texture.opposite,
        texture.side,
        texture.trust,
        skin,
        skin_trust,
        np.stack([_sharpness_when_drawn(levels, landmarks, zoom) for zoom in _ZOOMS]),
    )


def _cut(image: Image, landmarks: NDArray[np.float64]) -> tuple[Image, NDArray[np.float64]]:
    """The picture around a face, reduced if it is very large, and the landmarks in it."""
    scale, (height, width) = face_scale(landmarks), image.shape[:2]
    box = Box.around(landmarks).pad(int(scale)).clip(width, height)
    cut, points = np.ascontiguousarray(image[box.slices]), landmarks - (box.left, box.top, 0)
    if scale <= _LARGEST:
        return cut, points
    factor = _LARGEST / scale
    size = (max(1, round(cut.shape[1] * factor)), max(1, round(cut.shape[0] * factor)))
    ratio = np.array([size[0] / cut.shape[1], size[1] / cut.shape[0]])
    reduced: NDArray[np.float64] = points * np.append(ratio, factor)
    reduced[:, :2] += (ratio - 1) / 2
    return cv2.resize(cut, size, interpolation=cv2.INTER_AREA), reduced


def _without_hair(texture: MeshTexture, landmarks: NDArray[np.float64], skin: NDArray[np.float64]) -> MeshTexture:
    """``texture`` that takes from the other side, or trusts less, what its picture does not show bare.

    skin  (K, 3) colours of skin in the picture.

    A lock in the middle of the face may pass for a shadow; but when the same place of the other half is bare skin, it
    is none of the face's own.
    """
    height, width = texture.picture.shape[:2]
    box, colours = Box(0, 0, width, height), skin_statistics(skin)
    clean = face_pixels(texture.picture, landmarks, colours, box)
    alike = skin_alike(texture.picture, landmarks, colours)
    layers = np.dstack([clean, alike, features(landmarks, box)])
    here, there = sample_at(layers, texture.own), sample_at(layers, texture.opposite)
    bare = _bare(here, there)
    bare_there = _bare(there, here)
    one = texture.side * bare
    other = (1 - one) * bare_there
    side = np.where(one + other > 1e-3, one / np.maximum(one + other, 1e-6), texture.side).astype(np.float32)
    trust = texture.trust * np.clip(side * bare + (1 - side) * bare_there, 0, 1)
    return replace(texture, side=side, trust=trust.astype(np.float32))


def _bare(here: NDArray[np.float32], there: NDArray[np.float32]) -> NDArray[np.float32]:
    """(V,) how much vertices show the face, from (V, 3): face, skin-coloured, feature, here and on the other side."""
    odd = np.clip(there[:, 1] - here[:, 1], 0, 1) * (1 - np.maximum(here[:, 2], there[:, 2]))
    bare: NDArray[np.float32] = np.minimum(here[:, 0], 1 - odd)
    return bare


def _skin_colours(
    texture: MeshTexture, landmarks: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(K, 3) colours of the texture at the landmarks ``SKIN``, as they are drawn, and (K,) how far to trust them."""
    near = cKDTree(texture.own).query(landmarks[list(SKIN), :2])[1]
    smooth = cv2.GaussianBlur(texture.picture, (0, 0), 0.04 * face_scale(landmarks), borderType=cv2.BORDER_REPLICATE)
    mixed = replace(
        texture,
        picture=smooth,
        own=texture.own[near],
        opposite=texture.opposite[near],
        side=texture.side[near],
        trust=texture.trust[near],
    )
    return mixed.colours().astype(np.float64), texture.trust[near].astype(np.float64) + 1e-3


def _sharpness_when_drawn(
    levels: list[NDArray[np.float32]], landmarks: NDArray[np.float64], zoom: float
) -> NDArray[np.float64]:
    height, width = (max(1, round(side / zoom)) for side in levels[0].shape[:2])
    if max(height, width) > 1024:
        # Enlarged so far, the picture has no fine detail left to measure: as at the largest size worth drawing.
        return _sharpness_when_drawn(levels, landmarks, max(levels[0].shape[:2]) / 1000)
    where = warp.affine_field(np.array([[zoom, 0.0, 0], [0, zoom, 0]]), Box(0, 0, width, height))
    drawn = warp.sample_minified(levels, where, zoom)
    return face_sharpness((drawn.clip(0, 1) * 255).round().astype(np.uint8), landmarks / zoom)
