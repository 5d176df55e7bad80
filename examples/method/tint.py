"""tint: give lips or eyebrows the colour they have in a reference; shape, shading and motion stay the target's."""

import cv2
import numpy as np

from faceloom.errors import RecipeError
from faceloom.geometry import masks
from faceloom.geometry.partcover import face_scale, part_box
from faceloom.types import Attribute, Crop, Part, Patch

WHERE = {
    Part.MOUTH: masks.Region.LIPS,
    Part.LEFT_EYEBROW: Part.LEFT_EYEBROW,
    Part.RIGHT_EYEBROW: Part.RIGHT_EYEBROW,
}


class Tint:
    """Colour transfer under the mask of a part."""

    name = "tint"
    summary = "gives lips or eyebrows the colour of the reference; option amount=0..1"
    takes = frozenset({Attribute.MOUTH, Attribute.EYEBROWS, Attribute.LEFT_EYEBROW, Attribute.RIGHT_EYEBROW})
    needs = ()  # no weights besides those that find the face
    context = 0  # each frame by itself

    def __init__(self, options):
        self.amount = options.get("amount", 0.8)
        if set(options) - {"amount"} or not (isinstance(self.amount, (int, float)) and 0 <= self.amount <= 1):
            raise RecipeError("method 'tint' has one option: amount, from 0 to 1")

    def prepare(self, sources):
        """Part -> mean chroma (2,) of the reference, once."""
        pairs = [(part, source) for attribute, source in sources.items() for part in attribute.parts]
        return {part: self._look(source.image, source.face, part)[2] for part, source in pairs}

    def apply(self, window, faces, prepared):
        """For each frame to edit, a list of patches: a picture, and a matte that says where it counts."""
        core = range(*window.core.indices(len(window.frames)))
        return [self._edit(window.frames[i].image, faces[i], prepared) for i in core]

    def _edit(self, image, face, prepared):
        return [] if face is None else [self._tint(image, face, part, colour) for part, colour in prepared.items()]

    def _tint(self, image, face, part, colour):
        lab, mask, own, box = self._look(image, face, part)
        lab[..., 1:] += colour - own
        soft = masks.blur(mask, 0.015 * face_scale(face.landmarks)) * np.float32(self.amount)
        return Patch(np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1), soft, Crop.cut(box))

    def _look(self, image, face, part):
        """Lab picture around the part, its mask, its mean chroma, and where in the frame that is."""
        landmarks = face.landmarks.astype(np.float64)
        box = part_box(part, landmarks, image.shape[1], image.shape[0])
        lab = cv2.cvtColor(image[box.slices].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        mask = masks.region_mask(WHERE[part], landmarks, box)
        weight = mask[..., None] / max(mask.sum(), 1e-6)
        return lab, mask, (lab[..., 1:] * weight).sum(axis=(0, 1)), box
