"""The one loop: recipe in, edited file out."""

from faceloom.run.api import edit
from faceloom.run.pipeline import Output, edit_clip, required_weights
from faceloom.run.recipe import build_recipe, read_recipe
from faceloom.run.report import Report

__all__ = ["Output", "Report", "build_recipe", "edit", "edit_clip", "read_recipe", "required_weights"]
