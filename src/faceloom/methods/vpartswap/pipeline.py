"""V-PartSwap on consecutive crops: align, inject, invert, blend noise, render."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceloom.methods.vpartswap.alignment import ReferencePart, Warped, align, band_width
from faceloom.methods.vpartswap.boundary import blend_noise, boundary_weight, code_of, noise_in, warp_noise
from faceloom.methods.vpartswap.codec import Codec, in_batches
from faceloom.methods.vpartswap.crops import FaceCrop
from faceloom.methods.vpartswap.injection import blend_features, inject
from faceloom.methods.vpartswap.options import Options, read_blocks
from faceloom.methods.vpartswap.temporal import Flow, TrajectoryMixer, consecutive_flow
from faceloom.types import FloatImage, Matte

_FROM_REFERENCE = ("band", "region")


@dataclass(frozen=True, eq=False)
class EncodedPart:
    """A part of a reference, and the noise (1, 3, S, S) in the stochastic code of the crop that it is in, if wanted."""

    reference: ReferencePart
    noise: Tensor | None


@dataclass(frozen=True, eq=False)
class Rendered:
    """What came out for one frame: the picture (S, S, 3) in [0, 1] and the mask of all parts (S, S)."""

    picture: FloatImage
    mask: Matte


def encode_reference(codec: Codec, parts: Sequence[ReferencePart]) -> list[EncodedPart]:
    """Invert each different reference picture once, if the options take anything from its stochastic code."""
    if codec.options.stochastic not in _FROM_REFERENCE:
        return [EncodedPart(part, None) for part in parts]
    codes: dict[int, Tensor] = {}
    for part in parts:
        key = id(part.picture)
        if key not in codes:
            picture = to_network([part.picture], codec)
            codes[key] = noise_in(codec.invert(picture, codec.encode(picture)), picture, codec.abar)
    return [EncodedPart(part, codes[id(part.picture)]) for part in parts]


def edit_crops(
    codec: Codec,
    parts: Sequence[EncodedPart],
    faces: Sequence[FaceCrop],
    collages: Sequence[FloatImage],
    flow: Flow | None,
) -> list[Rendered]:
    """Render every crop with the parts in it.

    Args:
        codec: the network and its options.
        parts: what to put in.
        faces: crops of the target in the order of time.
        collages: (S, S, 3) the same crops with the parts pasted in.
        flow: guides attention between frames, None for none.
    """
    options = codec.options
    warped = [
        [align(part.reference, face.landmarks, face.picture, options.tps, options.layers) for face in faces]
        for part in parts
    ]
    cover = [np.maximum.reduce([own[i].mask for own in warped]) for i in range(len(faces))]
    moved = None
    if flow is not None and len(faces) > 1:
        moved = consecutive_flow([face.rounded for face in faces], [face.index for face in faces], flow)

    def run(some: slice) -> list[Tensor]:
        target = to_network([face.picture for face in faces[some]], codec)
        z_sem, edited = _semantic(codec, target, [own[some] for own in warped], options)
        collage = to_network(collages[some], codec)
        z_sto = codec.invert(collage if options.stochastic == "collage" else target, z_sem)
        if options.stochastic in _FROM_REFERENCE:
            z_sto = _stochastic(
                codec,
                noise_in(z_sto, target, codec.abar),
                (target, collage),
                parts,
                [own[some] for own in warped],
                faces[some],
            )
        mixer = None if moved is None else TrajectoryMixer(moved[some.start : some.stop - 1], cover[some])
        return [codec.render(z_sto, edited, mixer)]

    pictures = from_network(in_batches(codec, len(faces), run)[0])
    return [Rendered(picture, mask) for picture, mask in zip(pictures, cover, strict=True)]


def _semantic(
    codec: Codec, target: Tensor, warped: Sequence[Sequence[Warped]], options: Options
) -> tuple[Tensor, Tensor]:
    """z_sem of the target, and with the references' features injected."""
    z_sem = codec.encode(target)
    blocks = read_blocks(options.inject, codec.model.encoder.blocks)
    if not blocks:
        return z_sem, z_sem
    references = [
        (to_network([w.picture for w in own], codec), mask_tensor([w.mask for w in own], codec)) for own in warped
    ]
    return z_sem, codec.encode_by(lambda: inject(codec.model.encoder, target, references, blocks))


def _stochastic(
    codec: Codec,
    noise: Tensor,
    pictures: tuple[Tensor, Tensor],
    parts: Sequence[EncodedPart],
    warped: Sequence[Sequence[Warped]],
    faces: Sequence[FaceCrop],
) -> Tensor:
    """z_sto with the references' noise where the options want it (section 3.3).

    When the inversion stops before pure noise, the code still holds a picture. Pictures are not noise: there the code
    gets the collage's picture instead of the target's, in the light of the target and with no seam.
    """
    options, (picture, collage) = codec.options, pictures
    for part, own in zip(parts, warped, strict=True):
        if options.stochastic == "band":
            width = [band_width(face.landmarks, options.band) for face in faces]
            weight = mask_tensor([boundary_weight(w.mask, b) for w, b in zip(own, width, strict=True)], codec)
        else:
            weight = mask_tensor([w.mask for w in own], codec)
        if part.noise is None:
            continue
        reference = warp_noise(part.noise, np.stack([w.grid for w in own]))
        noise = blend_noise(noise, reference, weight)
        picture = blend_features(picture, collage, weight)
    return code_of(picture, noise, codec.abar)


def to_network(pictures: Sequence[FloatImage], codec: Codec) -> Tensor:
    """(B, 3, S, S) in [-1, 1] on the codec's device, from (S, S, 3) in [0, 1]."""
    stacked = torch.from_numpy(np.stack(pictures)).to(codec.device)
    return (stacked.permute(0, 3, 1, 2) * 2 - 1).contiguous()


def mask_tensor(masks: Sequence[Matte], codec: Codec) -> Tensor:
    """(B, 1, S, S) on the codec's device."""
    return torch.from_numpy(np.stack(masks))[:, None].to(codec.device)


def from_network(pictures: Tensor) -> NDArray[np.float32]:
    """(B, S, S, 3) float32 in [0, 1]."""
    return ((pictures.float().clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).contiguous().cpu().numpy()
