"""The ``faceloom`` command."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from faceloom import __version__
from faceloom.errors import FaceloomError
from faceloom.serve import show
from faceloom.serve.commands import (
    benchmark,
    demo,
    doctor,
    edit,
    evaluate,
    inspect,
    methods,
    motion,
    speed,
    train,
    weights,
)
from faceloom.serve.commands.train_retouch import blemishes, langbrt
from faceloom.serve.commands.train_unifacegan import cache3d, unifacegan


class _Commands(TyperGroup):
    """The commands, with a word for a person who stops one: the framework would end in silence."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            show.error("interrupted; no output was left behind")
            raise typer.Exit(130) from None


app = typer.Typer(
    name="faceloom",
    cls=_Commands,
    help="Edit faces in images and video: say which attribute of the face comes from where.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("edit")(edit.edit)
app.command("inspect")(inspect.inspect)
app.command("motion")(motion.motion)
app.command("methods")(methods.methods)
app.add_typer(weights.app, name="weights")
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("speed")(speed.speed)
app.add_typer(benchmark.app, name="benchmark")
app.command("evaluate")(evaluate.evaluate)
train.app.command("langbrt")(langbrt)
train.app.command("blemishes")(blemishes)
train.app.command("cache3d")(cache3d)
train.app.command("unifacegan")(unifacegan)
app.add_typer(train.app, name="train")


def _version(wanted: bool) -> None:
    if wanted:
        show.out.print(f"faceloom {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Edit faces in images and video: say which attribute of the face comes from where."""


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """End on SIGTERM as on Ctrl-C: by an exception, so that nothing half-written stays behind."""
    show.error(f"stopped by {signal.Signals(number).name}; no output was left behind")
    sys.exit(128 + number)


def main() -> None:
    """Run the command line; expected errors are one message and an exit code, without a traceback."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except FaceloomError as error:
        show.error(str(error))
        sys.exit(error.exit_code)
