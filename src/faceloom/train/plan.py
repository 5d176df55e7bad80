"""Where a run stands: how much of it is done, which stage that is, and the learning rate there."""

from __future__ import annotations

import math
from dataclasses import dataclass

from faceloom.train.recipe import OptimiserSection, RunSection, StageSection, TrainingRecipe


@dataclass
class Position:
    """How far a run has come.

    step          optimiser steps done.
    seen          pictures seen, over all devices.
    seconds       training time, pauses left out.
    seen_before   pictures that the weights had seen before this run.
    """

    step: int = 0
    seen: int = 0
    seconds: float = 0.0
    seen_before: int = 0


def progress(run: RunSection, at: Position) -> float:
    """The part of the run that is done: 0 at the start, 1 and more at the end."""
    by_samples = at.seen / run.samples if run.samples else 0.0
    by_time = at.seconds / (60 * run.minutes) if run.minutes else 0.0
    return max(by_samples, by_time)


def stage_at(recipe: TrainingRecipe, done: float) -> StageSection:
    """The stage that a run is in when the part ``done`` of it is done."""
    total, sum_so_far = sum(stage.share for stage in recipe.stages), 0.0
    for stage in recipe.stages:
        sum_so_far += stage.share / total
        # A sum of shares may miss its limit by rounding.
        if done < sum_so_far - 1e-9:
            return stage
    return recipe.stages[-1]


def learning_rate(how: OptimiserSection, step: int, done: float) -> float:
    """Linear growth over the first steps, times a half cosine from 1 to ``final`` over the whole run."""
    warm = min(1.0, (step + 1) / how.warmup_steps) if how.warmup_steps else 1.0
    if how.schedule == "constant":
        return how.learning_rate * warm
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return how.learning_rate * warm * (how.final + (1 - how.final) * fall)
