"""Likeness as a network sees it: LPIPS, and the cosine of features.

Networks are handed over as modules (``evaluate.networks`` loads them); the functions turn pictures into tensors as each
network wants them. torch is imported when a function is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from faceloom.evaluate.metrics.errors import MetricError
from faceloom.evaluate.metrics.regions import PartView
from faceloom.types import Image

if TYPE_CHECKING:
    from torch import Tensor, nn

    from faceloom.nets.lpips import LPIPS, Trunk

CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_VGG_STAGES = slice(1, 4)


def as_tensor(images: Sequence[Image], like: nn.Module) -> Tensor:
    """(B, 3, H, W) float32 in [-1, 1] on the device of a module's parameters, from uint8 RGB pictures of one size."""
    import torch

    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return batch.to(next(like.parameters()).device, torch.float32) / 127.5 - 1


def lpips(network: LPIPS, one: Image, other: Image) -> float:
    """LPIPS v0.1 distance of two pictures; lower is better, 0 for equal pictures.

    ``sum_l mean_p sum_c w_lc (a_lc(p) - b_lc(p))^2`` over five layers of VGG-16 or AlexNet, features of unit length.

    Args:
        network: ``Networks.lpips("vgg")`` or ``Networks.lpips("alex")``.
        one: (H, W, 3) uint8 RGB, sides at least 32; scaled to [-1, 1], not resized.
        other: the same size.

    Source: Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018.
    Raises ``MetricError`` when the sizes differ.
    """
    import torch

    if one.shape != other.shape:
        raise MetricError(f"LPIPS compares pictures of one size, got {one.shape} and {other.shape}")
    with torch.inference_mode():
        return float(network(as_tensor([one], network), as_tensor([other], network)))


def without_region(target: Image, result: Image, region: NDArray[np.bool_]) -> Image:
    """The result with the target's own pixels inside ``region``: what differs from the target then lies outside.

    LPIPS between this and the target is LPIPS_BG of V-PartSwap ("computed outside the edited region"). The paper does
    not say how the region is taken out; here both pictures show the same in it, so it adds nothing, and pixels next to
    it are seen in their true surroundings.

    target, result  (H, W, 3) uint8; region  (H, W) bool.
    """
    return np.where(region[..., None], target, result)


def vgg_features(network: Trunk, view: PartView) -> list[Tensor]:
    """What VGG-16 sees of a part: for each of three stages (n, C), unit features at the n positions inside its mask.

    network  ``Networks.lpips("vgg").trunk``; the stages are relu2_2, relu3_3 and relu4_3.
    view     the part, 128 pixels a side.
    """
    import torch

    from faceloom.nets.lpips import unit

    found = []
    with torch.inference_mode():
        for layer in network(as_tensor([view.image], network))[_VGG_STAGES]:
            height, width = layer.shape[-2:]
            inside = cv2.resize(view.mask, (width, height), interpolation=cv2.INTER_AREA) > 0.5
            found.append(unit(layer)[0][:, torch.from_numpy(inside).to(layer.device)].T)
    return found


def vgg_similarity(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """VGG-I: how alike two parts look to VGG-16, in [0, 1]; higher is better, 1 for equal parts. Our own measure.

    ``mean_l (mean_p max_q cos(a_l(p), b_l(q)) + mean_q max_p cos(a_l(p), b_l(q))) / 2``: every position of one part is
    compared with the one most like it in the other, so that a mouth that opens differently is still the same mouth
    (the matching of Mechrez et al., The Contextual Loss, ECCV 2018). It is what can be measured where CLIP and DINO are
    not to be had, and **not** comparable with CLIP-I or DINO-I: two people's parts come to 0.66 to 0.78 already, so
    look at the gain over the unedited target (``vgg_i_gain``).

    NaN when a part is too small to have a position at every stage.

    one, other  as ``vgg_features`` gives them.
    """
    import torch

    likeness = []
    with torch.inference_mode():
        for a, b in zip(one, other, strict=True):
            if not len(a) or not len(b):
                return float("nan")
            match = a @ b.T
            likeness.append(0.5 * float(match.amax(dim=0).mean() + match.amax(dim=1).mean()))
    return float(np.mean(likeness))


def cosine(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Cosine of two vectors, in [-1, 1].

    CLIP-I (image tower of CLIP ViT-L/14, Radford et al. 2021), DINO-I (class token of DINO or DINOv2, Caron et al.
    2021, Oquab et al. 2024) and identity similarity (SFace, ArcFace) are this for the networks' vectors; higher is
    better.
    """
    a, b = np.asarray(one, np.float64).ravel(), np.asarray(other, np.float64).ravel()
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))


def class_token(
    network: nn.Module, image: Image, mean: tuple[float, float, float], deviation: tuple[float, float, float]
) -> NDArray[np.float32]:
    """The vector that a vision transformer gives for a picture.

    image  (H, W, 3) uint8 RGB, sides multiples of the patch; scaled to [0, 1] and normalised by ``mean`` and
           ``deviation`` (of CLIP or of ImageNet).
    """
    import torch

    with torch.inference_mode():
        batch = (as_tensor([image], network) + 1) / 2
        shift, scale = (torch.tensor(values, device=batch.device).view(1, 3, 1, 1) for values in (mean, deviation))
        vector: NDArray[np.float32] = network((batch - shift) / scale)[0].float().cpu().numpy()
    return vector


def painted(image: Image, region: NDArray[np.bool_]) -> Image:
    """The picture with ``region`` ((H, W) bool) in mid-grey, so that an identity network sees only the rest."""
    return np.where(region[..., None], np.uint8(128), image)
