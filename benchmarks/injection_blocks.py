"""Which encoder blocks of a diffusion autoencoder reference features should be blended in at.

python benchmarks/injection_blocks.py [--portraits DIR] [--checkpoint NAME] [--pairs N] [--steps N]

Every portrait gets the part of the next one, with nothing but equation (1): the stochastic code is the target's own.
Shown are the distance of the rendered part to the warped reference's, inside the part (LPIPS-VGG of the part's square,
lower is nearer), the same for the target as it is, and how much the rest of the picture changes (mean absolute
difference to the plain round trip, grey levels of 255).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from statistics import mean

import numpy as np
import torch

from faceloom.evaluate.metrics.perceptual import lpips
from faceloom.evaluate.networks import Networks
from faceloom.geometry.partcover import part_box
from faceloom.media import read_image
from faceloom.methods.vpartswap.alignment import align, reference_part
from faceloom.methods.vpartswap.crops import FaceCrop, cut_face
from faceloom.methods.vpartswap.injection import inject
from faceloom.methods.vpartswap.options import read_options
from faceloom.methods.vpartswap.pipeline import from_network, mask_tensor, to_network
from faceloom.methods.vpartswap.prepared import load_codec
from faceloom.perceive import Perception, perceive_image
from faceloom.types import FloatImage, Frame, Image, Part
from faceloom.weights import Store

PARTS = (Part.MOUTH, Part.LEFT_EYE, Part.NOSE)


def main() -> None:
    arguments = _arguments()
    store = Store()
    options = {"checkpoint": arguments.checkpoint, "steps_render": arguments.steps, "depth": 1.0}
    codec = load_codec(read_options(options), store)
    faces = _faces(arguments.portraits, arguments.pairs + 1, store, codec.size)
    network = Networks(store).lpips("vgg")
    count = codec.model.encoder.blocks
    choices = {"none": range(0), "all": range(count)}
    third = count // 3
    choices |= {
        "first third": range(third),
        "second third": range(third, 2 * third),
        "last third": range(2 * third, count),
    }
    table: dict[tuple[str, str], list[float]] = defaultdict(list)
    for target, reference in pairwise(faces):
        pixels = to_network([target.picture], codec)
        z_sem = codec.encode(pixels)
        z_sto = codec.invert(pixels, z_sem)
        plain = from_network(codec.render(z_sto, z_sem))[0]
        for part in PARTS:
            warped = align(
                reference_part(part, reference.picture, reference.landmarks),
                target.landmarks,
                target.picture,
                True,
                True,
            )
            pair = (to_network([warped.picture], codec), mask_tensor([warped.mask], codec))
            near = part_box(part, target.landmarks, codec.size, codec.size).slices
            wanted = _enlarged(warped.picture, near)
            table["target", "distance"].append(lpips(network, _enlarged(target.picture, near), wanted))
            for name, blocks in choices.items():
                edited = codec.encode_by(
                    lambda pixels=pixels, pair=pair, blocks=blocks: inject(codec.model.encoder, pixels, [pair], blocks)
                )
                picture = from_network(codec.render(z_sto, edited))[0]
                table[name, "distance"].append(lpips(network, _enlarged(picture, near), wanted))
                change = np.abs(picture - plain).mean(axis=-1) * (warped.mask < 0.02)
                table[name, "outside"].append(255 * float(change.sum() / (warped.mask < 0.02).sum()))
    print("| blocks | distance to the reference | change outside |\n|---|---|---|")
    print(f"| target as it is | {mean(table['target', 'distance']):.4f} | |")
    for name in choices:
        print(f"| {name} | {mean(table[name, 'distance']):.4f} | {mean(table[name, 'outside']):.2f} |")


def _faces(folder: Path, count: int, store: Store, size: int) -> list[FaceCrop]:
    perception, faces = Perception(store, threads=1), []
    for path in sorted(folder.glob("*.jpg"))[:count]:
        image = read_image(path)
        faces.append(cut_face(Frame(0, 0, image), perceive_image(image, perception)[0], size))
    return faces


def _enlarged(picture: FloatImage, where: tuple[slice, slice]) -> Image:
    """A square as a picture large enough for the network that compares."""
    cut = torch.from_numpy(np.ascontiguousarray(picture[where])).permute(2, 0, 1)[None]
    large = torch.nn.functional.interpolate(cut, size=(96, 96), mode="bilinear", align_corners=False)
    return (large[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portraits", type=Path, default=Path(__file__).parents[1] / "examples" / "portraits")
    parser.add_argument("--checkpoint", default="diffae_small128")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=10)
    return parser.parse_args()


if __name__ == "__main__":
    main()
