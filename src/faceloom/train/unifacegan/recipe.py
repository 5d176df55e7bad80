"""What a recipe of UniFaceGAN says beyond other recipes: how episodes are sampled, and what is minimised."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from faceloom.train.recipe import TrainingRecipe


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SamplingSection(_Section):
    """Dynamic Training Sample Selection (eqs. 1 and 2).

    intra  sigma, the share of episodes whose three pictures come from one clip.
    truth  what an intra-clip result should be. ``appearance``: X_p, with X_e = X_p, so that pose and expression of the
           result are those of a picture that exists. ``identity``: X_i with a free X_e, as eqs. 1 and 9 are printed;
           the two then show different poses.
    hint   what an intra-clip hint M is cut from: ``identity`` (X_i, as for reenactment, the paper's), ``appearance``
           (X_p, as for a swap) or ``both``, each in half of the episodes. Between clips it is always X_p.
    sees   the picture that the embedder sees beside M: ``hinted``, the one that M is cut from, or ``appearance``, X_p
           as printed, which in a reenactment shows the network the answer.
    """

    intra: float = Field(default=0.5, ge=0, le=1)
    truth: Literal["appearance", "identity"] = "appearance"
    hint: Literal["identity", "appearance", "both"] = "identity"
    sees: Literal["hinted", "appearance"] = "hinted"


class ObjectiveSection(_Section):
    """Weights of eq. 18 (0 leaves a term out), and what they are made of.

    adversarial, appearance, reconstruction, temporal  alpha, beta, gamma and lambda.
    identity            weight of 1 - cosine of identity vectors, which the paper does not have; needs ``embedder``.
    flow                of the temporal loss: ``dense`` (eq. 16), ``sparse`` (at the vertices alone) or ``off``.
    embedder            PyTorch checkpoint of an ArcFace network (iresnet), for the identity term.
    trains_embedder     whether the appearance loss trains E too. It can then be lowered by shrinking what E says, which
                        the normalisation behind E hides.
    discriminator_rate  learning rate of the discriminator, times that of the generator.
    """

    adversarial: float = Field(default=10.0, ge=0)
    appearance: float = Field(default=1.0, ge=0)
    reconstruction: float = Field(default=10.0, ge=0)
    temporal: float = Field(default=5.0, ge=0)
    identity: float = Field(default=0.0, ge=0)
    flow: Literal["dense", "sparse", "off"] = "dense"
    embedder: str | None = None
    trains_embedder: bool = False
    discriminator_rate: float = Field(default=1.0, gt=0)

    @property
    def has_flow(self) -> bool:
        """Whether there is a temporal loss; without one, the frame before is not generated."""
        return self.flow != "off" and self.temporal > 0


class UniFaceGANRecipe(TrainingRecipe):
    """A recipe with the sections ``[sampling]`` and ``[objective]``."""

    sampling: SamplingSection = SamplingSection()
    objective: ObjectiveSection = ObjectiveSection()
