"""Draw the facial parts and the landmarks that make them: docs/images/parts.png, the picture of docs/parts.md.

    python scripts/draw_parts.py [--portrait examples/portraits/person_04.jpg] [--out docs/images/parts.png]

Needs the weights of face perception (`faceloom weights pull face_landmarker yunet`).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from faceloom.geometry import masks, partmaps
from faceloom.geometry import topology as t
from faceloom.geometry.masks import Region
from faceloom.geometry.partcover import cover_outline, part_box
from faceloom.geometry.similarity import transform
from faceloom.media import read_image
from faceloom.perceive import Perception, perceive_image
from faceloom.types import Box, Image, Part
from faceloom.weights import Store

ROOT = Path(__file__).parents[1]
FINE = 2
"""The picture is drawn this much larger and reduced, for smooth lines."""
Colour = tuple[int, int, int]

YELLOW, ORANGE, RED, PINK = (250, 214, 60), (255, 150, 40), (240, 60, 60), (255, 130, 190)
CYAN, BLUE, GREEN, WHITE = (70, 220, 240), (90, 140, 255), (120, 230, 110), (255, 255, 255)

OUTLINES: tuple[tuple[Part | Region, Colour, str, tuple[float, float]], ...] = (
    (Region.FACE_OVAL, WHITE, "face_oval (skin: without the holes)", (0.5, 0.985)),
    (Part.RIGHT_EYEBROW, ORANGE, "right_eyebrow", (0.19, 0.17)),
    (Part.LEFT_EYEBROW, YELLOW, "left_eyebrow", (0.81, 0.17)),
    (Part.RIGHT_EYE, BLUE, "right_eye", (0.20, 0.38)),
    (Part.LEFT_EYE, CYAN, "left_eye", (0.80, 0.38)),
    (Region.RIGHT_IRIS, BLUE, "", (0, 0)),
    (Region.LEFT_IRIS, CYAN, "", (0, 0)),
    (Part.NOSE, GREEN, "nose", (0.5, 0.60)),
    (Region.UPPER_LIP, PINK, "upper_lip", (0.24, 0.665)),
    (Region.LOWER_LIP, RED, "lower_lip", (0.5, 0.795)),
)


@dataclass(frozen=True)
class Panel:
    """A window onto the portrait, drawn ``size`` (width, height) pixels large."""

    canvas: Pillow.Image
    matrix: NDArray[np.float64]

    @classmethod
    def show(cls, image: Image, centre: NDArray[np.float64], width: float, size: tuple[int, int]) -> Panel:
        """``width`` pixels of ``image`` around ``centre``, a little faded so that lines stand out."""
        scale = size[0] * FINE / width
        middle = np.array([size[0], size[1]]) * FINE / 2
        matrix = np.column_stack([np.eye(2) * scale, middle - scale * centre])
        large = cv2.warpAffine(image, matrix, (size[0] * FINE, size[1] * FINE), flags=cv2.INTER_CUBIC)
        grey = cv2.cvtColor(large, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
        faded = 0.62 * (0.45 * large + 0.55 * grey)
        return cls(Pillow.fromarray(faded.astype(np.uint8)), matrix)

    def line(self, points: NDArray[np.floating], colour: Colour, width: float = 2, closed: bool = False) -> None:
        """A polyline through points of the portrait."""
        xy = [tuple(p) for p in transform(self.matrix, points)]
        ImageDraw.Draw(self.canvas).line(xy + xy[:1] * closed, fill=colour, width=round(width * FINE), joint="curve")

    def dots(self, points: NDArray[np.floating], colour: Colour, radius: float = 2.5) -> None:
        """Points of the portrait."""
        draw, r = ImageDraw.Draw(self.canvas), radius * FINE
        for x, y in transform(self.matrix, points):
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def shade(self, matte: NDArray[np.float32], box: Box, colour: Colour, strength: float) -> None:
        """Tint what a matte over ``box`` of the portrait covers."""
        place = np.column_stack([self.matrix[:, :2], transform(self.matrix, np.array([box.left, box.top]))])
        large = cv2.warpAffine(matte, place, self.canvas.size, flags=cv2.INTER_LINEAR)
        mask = Pillow.fromarray((large.clip(0, 1) * strength * 255).astype(np.uint8))
        self.canvas.paste(colour, (0, 0), mask)

    def text(self, words: str, at: tuple[float, float], colour: Colour, size: int = 17, anchor: str = "mm") -> None:
        """Words at a place given as fractions of the panel."""
        draw, font = ImageDraw.Draw(self.canvas), ImageFont.load_default(size * FINE)
        place = (at[0] * self.canvas.width, at[1] * self.canvas.height)
        draw.text(place, words, colour, font, anchor=anchor, stroke_width=FINE, stroke_fill=(0, 0, 0))


def draw_face(image: Image, points: NDArray[np.float64]) -> Panel:
    """Every part and region, named."""
    oval = Box.around(points[list(t.FACE_OVAL)])
    centre = np.array([oval.left + oval.right, oval.top + oval.bottom]) / 2
    panel = Panel.show(image, centre, 1.08 * oval.height, (760, 760))
    for region, colour, name, at in OUTLINES:
        panel.line(masks.outline(region, points), colour, closed=True)
        if name:
            panel.text(name, at, colour)
    panel.text("inner_mouth", (0.49, 0.693), WHITE, 13)
    panel.text("subject's right", (0.02, 0.03), WHITE, 16, "lm")
    panel.text("subject's left", (0.98, 0.03), WHITE, 16, "rm")
    return panel


def draw_mouth(image: Image, points: NDArray[np.float64]) -> Panel:
    """The control points of both lips' maps, the line where they meet and the opening left to the target."""
    box = part_box(Part.MOUTH, points, image.shape[1], image.shape[0])
    centre = np.array([box.left + box.right, box.top + box.bottom]) / 2
    panel = Panel.show(image, centre, 1.02 * box.width, (480, 376))
    panel.shade(partmaps.mouth_opening_matte(points, box), box, WHITE, 0.45)
    flat = points[:, :2]
    for line in (t.UPPER_LIP_SKIN, t.UPPER_LIP_OUTER, t.UPPER_LIP_MIDDLE[3:-3], t.UPPER_LIP_INNER):
        panel.line(flat[list(line)], PINK, 1.2)
        panel.dots(flat[list(line)], PINK)
    for line in (t.LOWER_LIP_SKIN, t.LOWER_LIP_OUTER, t.LOWER_LIP_MIDDLE[3:-3], t.LOWER_LIP_INNER):
        panel.line(flat[list(line)], RED, 1.2)
        panel.dots(flat[list(line)], RED)
    panel.line((flat[list(t.UPPER_LIP_INNER)] + flat[list(t.LOWER_LIP_INNER)]) / 2, WHITE, 2)
    panel.text("mouth: one map per lip", (0.02, 0.06), WHITE, 17, "lm")
    panel.text("upper lip's map", (0.98, 0.13), PINK, 15, "rm")
    panel.text("lower lip's map", (0.98, 0.95), RED, 15, "rm")
    panel.text("the target's own opening", (0.02, 0.95), WHITE, 15, "lm")
    return panel


def draw_eye(image: Image, points: NDArray[np.float64]) -> Panel:
    """The layers of an eye: eyeball, lid opening, a map for each lid, and how far the transfer reaches."""
    part = Part.LEFT_EYE
    box = part_box(part, points, image.shape[1], image.shape[0])
    centre = np.array([box.left + box.right, box.top + box.bottom]) / 2
    panel = Panel.show(image, centre, 1.02 * box.width, (480, 376))
    panel.shade(partmaps.eye_opening_matte(part, points, box), box, CYAN, 0.4)
    flat = points[:, :2]
    panel.line(cover_outline(part, points), WHITE, 1.2, closed=True)
    for line in (t.LEFT_EYEBROW_LOWER, t.LEFT_UNDER_BROW, t.LEFT_UPPER_LID_SKIN, t.LEFT_UPPER_LID):
        panel.line(flat[list(line)], YELLOW, 1.2)
        panel.dots(flat[list(line)], YELLOW)
    for line in (t.LEFT_UNDER_EYE, t.LEFT_LOWER_LID_SKIN, t.LEFT_LOWER_LID):
        panel.line(flat[list(line)], GREEN, 1.2)
        panel.dots(flat[list(line)], GREEN)
    panel.line(masks.outline(Region.LEFT_IRIS, points), BLUE, 2, closed=True)
    panel.dots(flat[list(t.LEFT_IRIS)], BLUE, 3)
    panel.text("left eye: eyeball under two lids", (0.02, 0.06), WHITE, 17, "lm")
    panel.text("upper lid's map", (0.98, 0.15), YELLOW, 15, "rm")
    panel.text("lower lid's map", (0.98, 0.95), GREEN, 15, "rm")
    panel.text("iris places the eyeball", (0.02, 0.95), BLUE, 15, "lm")
    panel.text("reach of the transfer", (0.02, 0.87), WHITE, 15, "lm")
    return panel


def draw(image: Image, points: NDArray[np.float64]) -> Pillow.Image:
    """The whole picture: the face at the left, mouth and eye enlarged at the right."""
    panels = ((draw_face, (0, 0)), (draw_mouth, (768, 0)), (draw_eye, (768, 384)))
    sheet = Pillow.new("RGB", (1248 * FINE, 760 * FINE), WHITE)
    for make, (x, y) in panels:
        sheet.paste(make(image, points).canvas, (x * FINE, y * FINE))
    return sheet.resize((1248, 760), Pillow.Resampling.LANCZOS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portrait", type=Path, default=ROOT / "examples" / "portraits" / "person_04.jpg")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "parts.png")
    arguments = parser.parse_args()
    image = read_image(arguments.portrait)
    faces = perceive_image(image, Perception(Store()))
    if not faces:
        parser.error(f"no face found in {arguments.portrait}; choose a portrait that shows one")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    picture = draw(image, faces[0].landmarks.astype(np.float64))
    picture.quantize(256, method=Pillow.Quantize.FASTOCTREE).save(arguments.out, optimize=True)
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
