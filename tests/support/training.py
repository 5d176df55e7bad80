"""Tiny recipes and packed faces for the tests of training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from faceloom.train.recipe import TrainingRecipe, build_training_recipe

PORTRAITS = Path(__file__).parents[2] / "examples" / "portraits"
MODEL = {
    "image_size": 32,
    "model_channels": 8,
    "channel_mult": [1, 2],
    "num_res_blocks": 1,
    "embed_channels": 16,
    "attention_resolutions": [16],
    "dropout": 0.1,
    "enc_out_channels": 16,
    "enc_num_res_block": 1,
    "enc_channel_mult": [1, 2],
}
STAGES = [{"size": 16, "batch": 4}, {"size": 32, "batch": 4}]

MakeRecipe = Callable[..., TrainingRecipe]


def tiny_recipe(**sections: Any) -> TrainingRecipe:
    """Eight steps of a tiny model, half at 16 and half at 32 pixels, with sections replaced by keyword."""
    run: Mapping[str, Any] = {"samples": 32, "precision": "fp32", "log_every": 2, "sheet_every": 0}
    values = {
        "model": MODEL,
        "stages": STAGES,
        "augment": {"rotate": 5, "brightness": 0.1},
        "optimiser": {"learning_rate": 1e-3, "warmup_steps": 2, "schedule": "cosine"},
    }
    return build_training_recipe({**values, **sections, "run": {**run, **sections.get("run", {})}})
