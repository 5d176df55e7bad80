"""UniFaceGAN: a rendered 3D face and a picture of an appearance, blended into one picture.

Cao et al., UniFaceGAN: A Unified Framework for Temporally Consistent Facial Video Editing, IEEE Transactions on Image
Processing 2021, section III-C. Layers that the paper leaves open are those of pix2pixHD, which it builds on (Wang et
al., High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs, CVPR 2018).
"""

from faceloom.nets.unifacegan.config import PAPER, SMALL, UniFaceGANConfig
from faceloom.nets.unifacegan.discriminator import MultiScaleDiscriminator, hinge_for_discriminator, hinge_for_generator
from faceloom.nets.unifacegan.embedder import AppearanceEmbedder
from faceloom.nets.unifacegan.generator import Generator
from faceloom.nets.unifacegan.model import UniFaceGAN, appearance_hint
from faceloom.nets.unifacegan.normalisation import AdaptiveInstanceNorm, RegionAwareNorm, SpatiallyAdaptiveNorm

__all__ = [
    "PAPER",
    "SMALL",
    "AdaptiveInstanceNorm",
    "AppearanceEmbedder",
    "Generator",
    "MultiScaleDiscriminator",
    "RegionAwareNorm",
    "SpatiallyAdaptiveNorm",
    "UniFaceGAN",
    "UniFaceGANConfig",
    "appearance_hint",
    "hinge_for_discriminator",
    "hinge_for_generator",
]
