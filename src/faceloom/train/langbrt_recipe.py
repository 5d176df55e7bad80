"""Recipes for LangBRT: what every recipe has, and how pairs are painted and losses weighed."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from faceloom.train.recipe import DataSection, TrainingRecipe

SHARES = (0.01, 0.05, 0.1, 0.2, 1.0)
"""Parts of the training data in the limited-data protocol (LangBRT, table 1)."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SharedDataSection(DataSection):
    """``share``: the part of the training faces that is used; smaller shares are parts of larger ones."""

    share: float = Field(default=1.0, gt=0, le=1)


class BlemishSection(_Section):
    """Painting.

    workers   processes that paint while the network learns; 0 paints between the steps.
    parser    find skin with the face parser; else by landmarks and colour.
    """

    workers: int = Field(default=0, ge=0)
    parser: bool = True


class RetouchLossSection(_Section):
    """Weights of equations (9) and (11), the paper's unless said otherwise, and what it leaves open.

    beta             of the perceptual term.
    gamma            of the dissimilarity to the words for blemishes; 0 leaves it out.
    eta              of detection and of its areas.
    adversarial      of the discriminator's opinion; 0 leaves it out.
    saturating       ``log(1 - S)`` as equation (7) has it; else ``-log S``, whose gradient does not vanish while the
                     discriminator is right (Goodfellow et al., 2014).
    prompts          of each prompt's own map, where it is known (synthetic pairs); not in the paper.
    inside           of the error where blemishes are, over their area; not in the paper.
    outside          of any change outside the ground truth; not in the paper.
    perceptual       trunk of the perceptual term.
    perceptual_crop  it looks at a square of this many pixels, somewhere else in each step; 0 for the whole picture.
    """

    beta: float = Field(default=10.0, ge=0)
    gamma: float = Field(default=1.0, ge=0)
    eta: float = Field(default=1.0, ge=0)
    adversarial: float = Field(default=1.0, ge=0)
    saturating: bool = False
    prompts: float = Field(default=1.0, ge=0)
    inside: float = Field(default=1.0, ge=0)
    outside: float = Field(default=1.0, ge=0)
    perceptual: Literal["vgg16", "none"] = "vgg16"
    perceptual_crop: int = Field(default=0, ge=0)


class LangBRTRecipe(TrainingRecipe):
    """A whole recipe for LangBRT. Of ``augment``, pairs know flips and colours: their masks would have to move too."""

    data: SharedDataSection = SharedDataSection()
    blemishes: BlemishSection = BlemishSection()
    retouch: RetouchLossSection = RetouchLossSection()

    @model_validator(mode="after")
    def _not_moved(self) -> Self:
        if self.augment.rotate or self.augment.scale or self.augment.shift:
            raise ValueError("augment.rotate, scale and shift must be 0 for LangBRT: pairs are not moved")
        return self
