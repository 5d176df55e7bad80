"""The nouns of faceloom.

Convention, everywhere unless a docstring says otherwise:

* Images are RGB, ``uint8`` ``(H, W, 3)`` at the edges of the system and ``float32`` in ``[0, 1]`` inside it.
* Points are ``(x, y)`` in pixels of a named frame of reference ("frame" or "crop"); the centre of the
  top-left pixel is ``(0, 0)``.
* Matrices are ``(2, 3)`` float64 and map *from* frame *to* crop.
* Left and right are the subject's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""``(H, W, 3)`` uint8, RGB."""
FloatImage = NDArray[np.float32]
"""``(H, W, 3)`` float32 in [0, 1], RGB."""
Matte = NDArray[np.float32]
"""``(H, W)`` float32 in [0, 1]; 0 keeps the target's own pixel."""
Points = NDArray[np.floating[Any]]
"""``(N, 2)`` or ``(N, 3)``, x and y in pixels."""
Matrix = NDArray[np.float64]
"""``(2, 3)``, from frame to crop."""


class Part(StrEnum):
    """An elementary region of the face: what a mask exists for. Left and right are the subject's."""

    LEFT_EYEBROW = "left_eyebrow"
    RIGHT_EYEBROW = "right_eyebrow"
    LEFT_EYE = "left_eye"
    RIGHT_EYE = "right_eye"
    NOSE = "nose"
    MOUTH = "mouth"


class Attribute(StrEnum):
    """What a recipe can take from a source: a face is identity, motion, texture, hair and environment."""

    IDENTITY = "identity"
    POSE = "pose"
    EXPRESSION = "expression"
    GAZE = "gaze"
    SKIN = "skin"
    EYEBROWS = "eyebrows"
    LEFT_EYEBROW = "left_eyebrow"
    RIGHT_EYEBROW = "right_eyebrow"
    EYES = "eyes"
    LEFT_EYE = "left_eye"
    RIGHT_EYE = "right_eye"
    NOSE = "nose"
    MOUTH = "mouth"
    EARS = "ears"
    HAIR = "hair"
    ILLUMINATION = "illumination"
    BACKGROUND = "background"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The elementary parts that this attribute covers; empty when it is not a facial part."""
        return _PARTS.get(self, ())


_PARTS: dict[Attribute, tuple[Part, ...]] = {
    Attribute.EYEBROWS: (Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW),
    Attribute.EYES: (Part.LEFT_EYE, Part.RIGHT_EYE),
    **{Attribute(part.value): (part,) for part in Part},
}


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels in the frame, half-open: columns ``left..right-1``, rows ``top..bottom-1``."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns covered, never negative."""
        return max(0, self.right - self.left)

    @property
    def height(self) -> int:
        """Rows covered, never negative."""
        return max(0, self.bottom - self.top)

    @property
    def area(self) -> int:
        """Pixels covered."""
        return self.width * self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """``(rows, columns)`` for indexing an image."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def clip(self, width: int, height: int) -> Box:
        """The part of the box inside an image of this size; may be empty (``area`` 0)."""
        left, top = min(max(self.left, 0), width), min(max(self.top, 0), height)
        return Box(left, top, max(left, min(self.right, width)), max(top, min(self.bottom, height)))

    def union(self, other: Box) -> Box:
        """The smallest box that covers both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def relative_to(self, other: Box) -> Box:
        """The same pixels counted from the top-left corner of ``other``."""
        return Box(self.left - other.left, self.top - other.top, self.right - other.left, self.bottom - other.top)

    def pad(self, pixels: int) -> Box:
        """The box grown by ``pixels`` on each side (not clipped)."""
        return Box(self.left - pixels, self.top - pixels, self.right + pixels, self.bottom + pixels)

    @classmethod
    def around(cls, points: Points) -> Box:
        """The smallest box that covers all ``points`` (N, 2+)."""
        low, high = np.floor(points[:, :2].min(axis=0)), np.floor(points[:, :2].max(axis=0))
        return cls(int(low[0]), int(low[1]), int(high[0]) + 1, int(high[1]) + 1)


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a clip, upright (container rotation already applied).

    ``image`` is the current RGB ``uint8`` picture. ``native`` holds the decoded planes in the file's own pixel
    format; it belongs to media/ and is opaque elsewhere. ``changed`` is the box outside which ``image`` is still
    what was decoded: the writer re-encodes everything outside it from ``native`` bit for bit.
    """

    index: int
    time: Fraction
    image: Image
    native: Any = None
    changed: Box | None = None
    decoded: Image | None = None

    @property
    def width(self) -> int:
        """Columns of the upright picture."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Rows of the upright picture."""
        return int(self.image.shape[0])

    def edited(self, image: Image, changed: Box) -> Frame:
        """This frame with a new picture that differs from the decoded one only inside ``changed``."""
        if image.shape != self.image.shape or image.dtype != np.uint8:
            raise ValueError(f"edited image must be uint8 {self.image.shape}, got {image.dtype} {image.shape}")
        box = changed if self.changed is None else self.changed.union(changed)
        decoded = self.image if self.decoded is None else self.decoded
        return replace(self, image=image, changed=box.clip(self.width, self.height), decoded=decoded)


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one frame.

    landmarks    (478, 3) float32, frame pixels; z in the unit of x, negative towards the camera.
    blendshapes  (52,) float32 in [0, 1], ARKit names in ``perceive.BLENDSHAPES``.
    pose         (4, 4) float64, canonical face (cm, x right, y up, z to the camera) to camera.
    confidence   probability in [0, 1] that a face is really there, from the landmark network.
    track        identifier that stays with the person through the clip; 0 in a still picture.
    embedding    (128,) float32 of unit length, or None where it was not computed in this frame.
    """

    landmarks: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    pose: NDArray[np.float64]
    confidence: float
    track: int = 0
    embedding: NDArray[np.float32] | None = None

    @property
    def box(self) -> Box:
        """Bounding box of the landmarks, frame pixels, not clipped to the frame."""
        return Box.around(self.landmarks)


@dataclass(frozen=True)
class Track:
    """One person through a clip: when seen (presentation seconds, first and last), how often and how large."""

    id: int
    first: Fraction
    last: Fraction
    frames: int
    mean_size: float
    """Mean side of the face box, pixels."""
    best_frame: int
    """Index of the frame that shows the face largest and most frontal."""


@dataclass(frozen=True, eq=False)
class Crop:
    """A window onto the frame: ``matrix`` maps frame points to crop points of a ``width`` × ``height`` picture."""

    matrix: Matrix
    width: int
    height: int

    @property
    def offset(self) -> tuple[int, int] | None:
        """``(x, y)`` of the crop's top-left pixel if the crop is a whole-pixel cut of the frame, else None."""
        linear, shift = self.matrix[:, :2], -self.matrix[:, 2]
        if np.array_equal(linear, np.eye(2)) and np.array_equal(shift, np.round(shift)):
            return int(shift[0]), int(shift[1])
        return None

    @classmethod
    def cut(cls, box: Box) -> Crop:
        """The crop that cuts ``box`` out of the frame without resampling."""
        matrix = np.array([[1.0, 0.0, -box.left], [0.0, 1.0, -box.top]])
        return cls(matrix, box.width, box.height)


@dataclass(frozen=True, eq=False)
class Patch:
    """An edited crop and where it counts.

    image  (h, w, 3) float32 RGB in [0, 1], crop space.
    matte  (h, w) float32 in [0, 1], crop space; the frame is untouched where it is 0.
    """

    image: FloatImage
    matte: Matte
    crop: Crop


@dataclass(frozen=True, eq=False)
class PromptMap:
    """Where on one face a method sees a thing that it was asked to retouch.

    name   the request as it was understood, such as "acne on the right cheek".
    found  (h, w) float32 in [0, 1], crop space: how certainly each pixel belongs to it.
    """

    name: str
    found: Matte
    crop: Crop


@dataclass(frozen=True, eq=False)
class Window:
    """A bounded run of consecutive frames of one clip.

    ``frames[core]`` are to be edited; those before and after are context (look-behind, look-ahead). ``first`` is
    True for the first window of a clip. A hard cut never lies inside a window.
    """

    frames: Sequence[Frame]
    core: slice
    first: bool = False


@dataclass(frozen=True, eq=False)
class Glimpse:
    """A face at one moment of a clip: ``image`` is cut from the frame by ``crop``, ``face`` lies in crop pixels."""

    image: Image
    face: Face
    crop: Crop


class Performance(Protocol):
    """What one face does through a clip."""

    @property
    def times(self) -> Sequence[Fraction]:
        """Presentation times of the frames, seconds."""

    def glimpse(self, index: int) -> Glimpse | None:
        """The face in frame ``index`` of the clip, None where it is not seen."""


@dataclass(frozen=True, eq=False)
class Source:
    """A picture that an attribute is taken from, with the face used in it.

    performance  of a clip, what the face does in all of it; ``image`` and ``face`` are those of one frame then.
    """

    path: Path
    image: Image
    face: Face
    performance: Performance | None = None


@dataclass(frozen=True)
class Recipe:
    """What to take from where, or what to retouch. The one noun that the command line, Python and every service build.

    take         attribute -> path of the picture or clip it comes from; empty where something is retouched.
    method       name of the method, or None for the default one that takes these attributes.
    strength     0 keeps the target, 1 applies the edit in full.
    face         "largest", "all", or a track id as shown by ``faceloom inspect``.
    occlusion    what keeps hands, hair and things in front of the face: "colour" (the method's own means) or "parser"
                 (a face parsing network besides; slower, needs torch).
    seed         seed of every stochastic step.
    options      settings of the method, by name.
    retouch      what is to go, in words; empty where something is taken.
    """

    take: Mapping[Attribute, Path]
    method: str | None = None
    strength: float = 1.0
    face: str = "largest"
    reference_face: int | None = None
    occlusion: str = "colour"
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    retouch: tuple[str, ...] = ()
