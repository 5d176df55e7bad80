"""Training recipes: TOML files that say which model is trained, on what, and how."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from faceloom.errors import RecipeError
from faceloom.methods.contract import suggest


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSection(_Section):
    """Which pictures are kept from training.

    hold_out  patterns of file names, as in ``msg_*7``; matching pictures measure progress and are never trained on.
    """

    hold_out: tuple[str, ...] = ()


class AugmentSection(_Section):
    """Random changes of every picture; 0 leaves a kind out.

    flip                              probability of mirroring.
    rotate                            greatest angle to either side, degrees.
    scale, shift                      greatest change of size, and of place, as fractions of the side.
    brightness, contrast, saturation  greatest relative change.
    """

    flip: float = Field(default=0.5, ge=0, le=1)
    rotate: float = Field(default=0.0, ge=0, le=45)
    scale: float = Field(default=0.0, ge=0, lt=0.5)
    shift: float = Field(default=0.0, ge=0, lt=0.5)
    brightness: float = Field(default=0.0, ge=0, lt=1)
    contrast: float = Field(default=0.0, ge=0, lt=1)
    saturation: float = Field(default=0.0, ge=0, lt=1)


class LossSection(_Section):
    """How the squared error of the predicted noise counts at each noise level; ``weighting.py`` has the formulas.

    weighting    ``plain`` 1; ``inverse_snr`` clamp(1 / SNR, low, high) ** power; ``min_snr`` min(SNR, gamma) / SNR;
                 ``velocity`` 1 + 1 / SNR, at most ``high``.
    """

    weighting: Literal["plain", "inverse_snr", "min_snr", "velocity"] = "plain"
    low: float = Field(default=0.002, gt=0)
    high: float = Field(default=25.0, gt=0)
    power: float = Field(default=0.5, gt=0)
    gamma: float = Field(default=5.0, gt=0)


class OptimiserSection(_Section):
    """AdamW.

    warmup_steps  steps over which the learning rate grows from 0.
    schedule      ``cosine`` lets it fall to ``final`` times its value over the whole run; ``constant`` keeps it.
    clip          greatest norm of the gradient; 0 leaves it as it is.
    """

    learning_rate: float = Field(default=1e-4, gt=0)
    warmup_steps: int = Field(default=100, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    final: float = Field(default=0.0, ge=0, le=1)
    weight_decay: float = Field(default=0.0, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, gt=0, lt=1)
    clip: float = Field(default=1.0, ge=0)


class EmaSection(_Section):
    """Running mean of the weights: ``decay`` per step, less in the first steps if ``warm_up``."""

    decay: float = Field(default=0.999, ge=0, lt=1)
    warm_up: bool = True


class StageSection(_Section):
    """A part of the run: side of the pictures in pixels, pictures per step over all devices, share of the run."""

    size: int = Field(ge=8)
    batch: int = Field(ge=1)
    share: float = Field(default=1.0, gt=0)


class RunSection(_Section):
    """Length, arithmetic and reports.

    samples, minutes    the run ends when this many pictures were seen, or at this training time, whichever is first.
    precision           ``bf16`` is automatic mixed precision in bfloat16; ``fp32`` none.
    channels_last       order of maps in memory; None means channels last except on a CPU, where the gradient of torch's
                        group normalisation is nine times slower in that order.
    log_every           steps between lines of the log; ``sheet_every`` between sample sheets, 0 for none.
    checkpoint_minutes  time between checkpoints; one is always written at the end.
    """

    samples: int | None = Field(default=None, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)
    precision: Literal["bf16", "fp32"] = "bf16"
    channels_last: bool | None = None
    compile: bool = False
    log_every: int = Field(default=50, ge=1)
    sheet_every: int = Field(default=1000, ge=0)
    checkpoint_minutes: float = Field(default=5.0, ge=0)


class TrainingRecipe(_Section):
    """A whole recipe. ``model`` holds the model's own options; what they mean is for the task to check."""

    model: dict[str, Any]
    data: DataSection = DataSection()
    augment: AugmentSection = AugmentSection()
    loss: LossSection = LossSection()
    optimiser: OptimiserSection = OptimiserSection()
    ema: EmaSection = EmaSection()
    run: RunSection = RunSection()
    stages: tuple[StageSection, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.run.samples is None and self.run.minutes is None:
            raise ValueError("the run never ends; give run.samples or run.minutes")
        return self

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the pictures that the stages want, ascending."""
        return tuple(sorted({stage.size for stage in self.stages}))


R = TypeVar("R", bound=TrainingRecipe)


def read_training_recipe(path: Path, changes: Mapping[str, Mapping[str, Any]] | None = None) -> TrainingRecipe:
    """Read a TOML recipe with the sections that every model has; see ``read_recipe_of``."""
    return read_recipe_of(TrainingRecipe, path, changes)


def read_recipe_of(kind: type[R], path: Path, changes: Mapping[str, Mapping[str, Any]] | None = None) -> R:
    """Read a TOML recipe.

    Args:
        kind: class of the recipe; models that need more sections have their own.
        path: the file.
        changes: values that win over those of the file, by section and key.

    Raises:
        RecipeError: no such file, not TOML, an unknown key (with the nearest known one) or a value out of range.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror or error}; check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"the recipe {path} is not valid TOML: {error}") from error
    for section, entries in (changes or {}).items():
        values[section] = {**values.get(section, {}), **entries}
    return build_recipe_of(kind, values, where=f"recipe {path}")


def build_training_recipe(values: Mapping[str, Any], where: str = "recipe") -> TrainingRecipe:
    """A checked recipe from plain values. Raises RecipeError as ``read_training_recipe`` does."""
    return build_recipe_of(TrainingRecipe, values, where)


def build_recipe_of(kind: type[R], values: Mapping[str, Any], where: str = "recipe") -> R:
    """``build_training_recipe`` for a class of recipes."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise RecipeError(_explain(error, where, kind)) from error


def _explain(error: ValidationError, where: str, kind: type[TrainingRecipe]) -> str:
    lines = []
    for problem in error.errors():
        path = problem["loc"]
        key = ".".join(str(step) for step in path)
        if problem["type"] == "extra_forbidden":
            known = _known(path, kind)
            lines.append(f"unknown key '{key}'{suggest(str(path[-1]), known) or '; known are ' + ', '.join(known)}")
        elif problem["type"] == "missing":
            lines.append(f"'{key}' is missing")
        elif problem["type"] == "value_error":
            lines.append(str(problem["ctx"]["error"]))
        else:
            lines.append(f"{key}: {problem['msg']} (got {problem['input']!r})")
    return f"{where}: " + "; ".join(lines)


def _known(path: tuple[int | str, ...], kind: type[TrainingRecipe]) -> list[str]:
    """The keys that could have stood at the end of ``path``."""
    if len(path) == 1:
        return list(kind.model_fields)
    section = StageSection if path[0] == "stages" else kind.model_fields[str(path[0])].annotation
    assert isinstance(section, type) and issubclass(section, BaseModel)
    return list(section.model_fields)
