"""The training loop, the same for every kind of model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, convert_conv2d_weight_memory_format

from faceloom.errors import FaceloomError
from faceloom.media import write_image
from faceloom.train.begin import begin_with, go_on
from faceloom.train.checkpoint import LAST, save_training
from faceloom.train.data.faces import shuffled_rows
from faceloom.train.data.samples import Samples
from faceloom.train.draws import Draws
from faceloom.train.ema import frozen_copy, update_ema
from faceloom.train.log import TrainingLog
from faceloom.train.plan import Position, learning_rate, progress, stage_at
from faceloom.train.recipe import StageSection, TrainingRecipe
from faceloom.train.task import Task

_HELD_OUT, _SHEET = 64, 6
"""Pictures that the held-out loss and a sheet use."""
_DEVICE_SHARE = 0.25
"""Part of a GPU's free memory that packed faces may take."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: where, its last losses (None if it had none), and whether it was asked to stop."""

    position: Position
    loss: float | None
    held_out_loss: float | None
    stopped: bool


class Trainer:
    """One run of one recipe: network, running mean of its weights, optimiser and position.

    Writes ``last.ckpt``, ``log.csv`` and sample sheets into ``folder``. Everything random is a function of the
    recipe's seed and of the step, so a run that was killed and is resumed ends with the weights of one that never
    stopped (exactly on one CPU, if its length is given in samples; a length in minutes depends on the clock).

    Args:
        task: kind of model.
        recipe: what to do.
        faces: packed faces, or other samples, at the sizes of the recipe's stages.
        folder: output; made if missing.
        resume: go on from the folder's ``last.ckpt`` if there is one.
        init: what to begin with: a checkpoint, of which the weights and their running mean are taken, or a file of
            weights for use (``.safetensors``), beside which everything else is fresh.
        device: ``auto`` takes the best there is, and all of them under ``accelerate launch``.
        tensorboard: write TensorBoard events besides the CSV log.
        tell: told a line of progress.

    Raises:
        MediaError: ``faces`` lack a size.
        WeightsError: a checkpoint cannot be read or is another configuration's.
    """

    def __init__(
        self,
        task: Task,
        recipe: TrainingRecipe,
        faces: Samples,
        folder: Path,
        *,
        resume: bool = False,
        init: Path | None = None,
        device: Literal["auto", "cpu"] = "auto",
        tensorboard: bool = False,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        faces.check(recipe.sizes)
        self.task, self.recipe, self.faces, self.folder = task, recipe, faces, folder
        folder.mkdir(parents=True, exist_ok=True)
        AcceleratorState._reset_state()  # else a second run in one process could not choose another precision
        precision = {"bf16": "bf16", "fp32": "no"}[recipe.run.precision]
        self.accelerator = Accelerator(mixed_precision=precision, cpu=device == "cpu")
        self.device, self.main = self.accelerator.device, self.accelerator.is_main_process
        self.tell = tell if self.main else lambda line: None

        torch.manual_seed(recipe.run.seed)
        self.network = task.network().to(self.device)
        wanted = recipe.run.channels_last
        last = self.device.type != "cpu" if wanted is None else wanted
        self.layout = torch.channels_last if last else torch.contiguous_format
        convert_conv2d_weight_memory_format(self.network, self.layout)
        self.ema = frozen_copy(self.network)
        objective = task.objective(self.network.train()).to(self.device)
        self.players, self.terms = objective.players(), objective.terms
        how = recipe.optimiser
        self.optimiser = torch.optim.AdamW(
            [{"params": list(player.module.parameters())} for player in self.players],
            lr=how.learning_rate,
            betas=(how.beta1, how.beta2),
            weight_decay=how.weight_decay,
            fused=self.device.type == "cuda",
        )
        self.at = Position()
        self._load(resume, init)

        if recipe.run.compile:
            objective.compile()
        self.objective: Any = self.accelerator.prepare_model(objective)
        self.ema_objective = task.objective(self.ema).to(self.device)
        self.log = TrainingLog(folder, self.at.step, tensorboard, self.terms) if self.main else None
        self._losses: list[Tensor] = []
        self._loss: float | None = None
        self._means: dict[str, float] = {}
        self._held_out: float | None = None

    def train(self, asked_to_stop: Callable[[], bool] = lambda: False) -> Outcome:
        """Go on to the end of the run, or to the first step after which ``asked_to_stop`` says True.

        Raises:
            FaceloomError: the loss is no longer a number; the last checkpoint is from before that.
        """
        run, stage, stopped = self.recipe.run, None, False
        saved = time.monotonic()
        logged = self.at.seen, self.at.seconds
        while (done := progress(run, self.at)) < 1 and not stopped:
            began = time.monotonic()
            if stage != (stage := stage_at(self.recipe, done)):
                self._enter(stage)
            rate = learning_rate(self.recipe.optimiser, self.at.step, done)
            gradient = self._step(stage, rate)
            stopped = self._agree(time.monotonic() - began, asked_to_stop())
            if self.at.step % run.log_every == 0:
                speed = (self.at.seen - logged[0]) / max(1e-9, self.at.seconds - logged[1])
                self._write_log(stage, float(gradient), rate, speed)
                logged = self.at.seen, self.at.seconds
            if run.sheet_every and self.at.step % run.sheet_every == 0:
                self._sheet(stage)
            if time.monotonic() - saved > 60 * run.checkpoint_minutes and not stopped:
                self._save()
                saved = time.monotonic()
        if stage is not None:  # else there was nothing left to do
            self._save()
            self._held_out = None if stopped else self._measure(stage)
            if not stopped and run.sheet_every:
                self._sheet(stage)
        return Outcome(self.at, self._loss, self._held_out, stopped)

    def _step(self, stage: StageSection, rate: float) -> Tensor:
        """One batch: loss, gradient, new weights, new running mean. Returns the norm of the gradient."""
        rows, draws = self._turn(stage)
        draws.seed_dropout()
        pictures = self.faces.draw(stage.size, rows, self.recipe.augment, draws)
        self.faces.expect(stage.size, *self._turn(stage, ahead=1))
        if isinstance(pictures, Tensor):
            pictures = pictures.contiguous(memory_format=self.layout)
        losses = self._means_of(self.objective(*self.task.draw(pictures, draws)))
        self.accelerator.backward(losses[0])
        limit = self.recipe.optimiser.clip or float("inf")
        norms = [clip_grad_norm_(player.module.parameters(), limit) for player in self.players]
        for group, player in zip(self.optimiser.param_groups, self.players, strict=True):
            group["lr"] = rate * player.rate
        self.optimiser.step()
        self.optimiser.zero_grad()
        update_ema(self.ema, self.network, self.recipe.ema, self.at.step)
        self._losses.append(losses.detach())
        self.at.step += 1
        self.at.seen += stage.batch
        return torch.stack(norms).norm()

    def _turn(self, stage: StageSection, ahead: int = 0) -> tuple[NDArray[np.integer], Draws]:
        """The rows that this process sees in a step, and the random numbers of that step."""
        seed, rank, world = self.recipe.run.seed, self.accelerator.process_index, self.accelerator.num_processes
        rows = shuffled_rows(self.faces.training, seed, self.at.seen + ahead * stage.batch, stage.batch)
        return rows[rank::world], Draws(seed, self.at.step + ahead, rank, self.device)

    def _means_of(self, losses: Tensor | Mapping[str, Tensor]) -> Tensor:
        """The loss, then each of the terms, as means over the pictures."""
        named = {"loss": losses} if isinstance(losses, Tensor) else losses
        return torch.stack([named[name].mean() for name in ("loss", *self.terms)])

    def _agree(self, seconds: float, stop: bool) -> bool:
        """Add the time of a step; the first process decides for all what the clock says and whether to stop."""
        if self.accelerator.num_processes > 1:
            decided = broadcast(torch.tensor([seconds, float(stop)], device=self.device)).tolist()
            seconds, stop = decided[0], bool(decided[1])
        self.at.seconds += seconds
        return stop

    def _enter(self, stage: StageSection) -> None:
        self.tell(f"{stage.size} px, {stage.batch} pictures a step, on {self.device}")
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            self.faces.to_device(stage.size, self.device, int(free * _DEVICE_SHARE))

    def _write_log(self, stage: StageSection, gradient: float, rate: float, speed: float) -> None:
        self._take_losses()
        self._held_out = self._measure(stage)
        values: dict[str, Any] = {
            "step": self.at.step,
            "seen": self.at.seen,
            "size": stage.size,
            "loss": self._loss,
            "held_out_loss": self._held_out,
            **self._means,
            "gradient": gradient,
            "learning_rate": rate,
            "images_per_second": speed,
            "minutes": self.at.seconds / 60,
        }
        if self.log is not None:
            self.log.write({name: value for name, value in values.items() if value is not None})
        done = min(1.0, progress(self.recipe.run, self.at))
        held_out = "" if self._held_out is None else f", held out {self._held_out:.5f}"
        self.tell(
            f"{done:4.0%}  step {self.at.step}, {self.at.seen} pictures: loss {self._loss:.5f}{held_out}, "
            f"{speed:.1f} pictures/s, {self.at.seconds / 60:.1f} min"
        )

    def _take_losses(self) -> None:
        """Average the losses since the last time. Raises FaceloomError if that is not a number."""
        if not self._losses:
            return
        (loss, *terms), self._losses = torch.stack(self._losses).mean(0).tolist(), []
        if not loss < float("inf"):
            raise FaceloomError(
                f"the loss is {loss} at step {self.at.step}; go on from {self.folder / LAST} with a lower "
                'optimiser.learning_rate or with run.precision = "fp32"'
            )
        self._loss, self._means = loss, dict(zip(self.terms, terms, strict=True))

    @torch.no_grad()
    def _measure(self, stage: StageSection) -> float | None:
        """The running mean's loss on held-out faces, with the same noise every time; None if none are held out."""
        rows = self.faces.held_out
        if not self.main or not len(rows):
            return None
        examples = self.task.examples(self.faces.batch(stage.size, _spread(rows, _HELD_OUT), self.device))
        with self.accelerator.autocast():
            parts = [
                self.ema_objective(*batch) for batch in zip(*(x.split(stage.batch) for x in examples), strict=True)
            ]
        return float(torch.cat([part if isinstance(part, Tensor) else part["loss"] for part in parts]).mean())

    def _sheet(self, stage: StageSection) -> None:
        if self.main:
            rows = _spread(self.faces.held_out if len(self.faces.held_out) else self.faces.training, _SHEET)
            with self.accelerator.autocast():
                sheet = self.task.sheet(self.ema, self.faces.batch(stage.size, rows, self.device))
            write_image(self.folder / f"sheet_{self.at.step:07d}.png", sheet, overwrite=True)

    def _save(self) -> None:
        self._take_losses()
        if self.main:
            save_training(
                self.folder / LAST,
                self.network,
                self.ema,
                self.optimiser,
                self.task.options,
                self.at,
                self.task.extra(),
            )

    def _load(self, resume: bool, init: Path | None) -> None:
        last = self.folder / LAST
        if resume and last.is_file():
            self.at, line = go_on(self.task, self.network, self.ema, self.optimiser, last)
        elif init is not None:
            self.at, line = begin_with(self.task, self.network, self.ema, init)
        else:
            return
        self.tell(line)


def _spread(rows: NDArray[np.integer], count: int) -> NDArray[np.integer]:
    """At most ``count`` of the rows, evenly over them: neighbours may be frames of one clip."""
    return rows[:: max(1, len(rows) // count)][:count]
