"""Diffusion Autoencoders: a semantic code of a picture and a diffusion model that renders from it.

Preechakul et al., Diffusion Autoencoders: Toward a Meaningful and Decodable Representation, CVPR 2022. Names of
modules follow the public checkpoints, so that those load as they are.
"""

from faceloom.nets.diffae.config import DiffAEConfig
from faceloom.nets.diffae.encoder import FeatureEdit, SemanticEncoder
from faceloom.nets.diffae.model import Conditioning, DiffusionAutoencoder

__all__ = ["Conditioning", "DiffAEConfig", "DiffusionAutoencoder", "FeatureEdit", "SemanticEncoder"]
