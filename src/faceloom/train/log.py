"""The log of a run: one CSV file, and TensorBoard's if asked."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faceloom.errors import FaceloomError

COLUMNS = ("step", "seen", "size", "loss", "held_out_loss", "gradient", "learning_rate", "images_per_second", "minutes")


class TrainingLog:
    """Appends lines to ``log.csv`` in ``folder``.

    after        lines of later steps, which a run that was killed had written after its last checkpoint, are dropped.
    tensorboard  write TensorBoard events too, into ``folder/tensorboard``; raises FaceloomError if it is missing.
    terms        more columns, for the terms of a loss.
    """

    def __init__(self, folder: Path, after: int, tensorboard: bool = False, terms: Sequence[str] = ()) -> None:
        self.path, self.columns = folder / "log.csv", (*COLUMNS, *terms)
        lines = []
        if after and self.path.is_file():
            with self.path.open(newline="", encoding="utf-8") as file:
                lines = [line for line in csv.DictReader(file) if int(line["step"]) <= after]
        with self.path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(lines)
        self._events: Any = _tensorboard(folder / "tensorboard", after) if tensorboard else None

    def write(self, values: Mapping[str, float]) -> None:
        """Add a line; columns without a value stay empty."""
        with self.path.open("a", newline="", encoding="utf-8") as file:
            row = {name: _short(values[name]) for name in self.columns if name in values}
            csv.DictWriter(file, self.columns).writerow(row)
        if self._events is not None:
            for name, value in values.items():
                if name != "step":
                    self._events.add_scalar(name, value, int(values["step"]))
            self._events.flush()


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _tensorboard(folder: Path, after: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise FaceloomError(
            f"TensorBoard is not installed ({error}); install it with: pip install tensorboard"
        ) from error
    return SummaryWriter(str(folder), purge_step=after + 1 if after else None)
