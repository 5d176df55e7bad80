"""What ``faceloom doctor`` looks at: each check says what it found, and what to do when that is not good."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import av
import cv2

from faceloom.errors import FaceloomError, MediaError
from faceloom.evaluate.devices import TorchDevices, torch_devices
from faceloom.media import CODECS, read_image
from faceloom.methods.contract import installed, unusable
from faceloom.perceive import Perception, perceive_image
from faceloom.run.pipeline import PERCEPTION
from faceloom.run.report import versions
from faceloom.serve.examples import MOUTH, TARGET, example
from faceloom.weights import Status, Store

_VARIABLES = ("FACELOOM_HOME", "FACELOOM_MIRROR", "FACELOOM_MEDIA")


class State(StrEnum):
    """``OK`` and ``NOTE`` need nothing; ``BROKEN`` stops edits."""

    OK = "ok"
    NOTE = "note"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis: the group it belongs to, what was looked at, and what was found."""

    group: str
    name: str
    text: str
    state: State = State.OK


def diagnose(store: Store) -> Iterator[Finding]:
    """Look at everything, quick things first."""
    for check in (machine, packages, computing, codecs, files, weights, methods, self_test):
        yield from check(store)


def machine(store: Store) -> Iterator[Finding]:
    """Operating system, Python, cores, memory, and the variables that steer faceloom."""
    yield Finding("machine", "system", f"{platform.system()} {platform.release()} on {platform.machine()}")
    yield Finding("machine", "python", f"{platform.python_version()} ({platform.python_implementation()})")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("machine", "cores", f"{usable} usable of {os.cpu_count()}")
    yield Finding("machine", "memory", _memory())
    for name in _VARIABLES:
        value = os.environ.get(name)
        yield Finding("machine", name, "not set" if value is None else value)


def _memory() -> str:
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        total, free = (page * os.sysconf(name) / 2**30 for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return "unknown on this system"
    return f"{total:.1f} GiB, {free:.1f} GiB of it unused"


def packages(store: Store) -> Iterator[Finding]:
    """Versions of what decides a result."""
    for name, version in versions().items():
        if name != "python":
            yield Finding("packages", name, version)


def computing(store: Store) -> Iterator[Finding]:
    """Where each kind of network runs, and why not elsewhere."""
    group = "computing"
    yield Finding(
        group,
        "landmarks",
        "processor, by LiteRT with XNNPACK, one thread: networks of a millisecond gain nothing from a GPU",
    )
    yield Finding(
        group,
        "detection, identity",
        f"processor, by OpenCV with {cv2.getNumThreads()} threads: its networks are opened for the processor",
    )
    torch = torch_devices()
    yield _parsing(group, torch)
    yield _onnx(group)


def _parsing(group: str, torch: TorchDevices) -> Finding:
    name = "face parsing"
    if torch.version is None:
        return Finding(group, name, f"not available, optional: {torch.reason}", State.NOTE)
    others = ", ".join(torch.devices[1:])
    why = f"{others} could be used with Perception(store, device=...)" if others else f"no GPU: {torch.reason}"
    return Finding(group, name, f"processor, by torch {torch.version}; {why}")


def _onnx(group: str) -> Finding:
    try:
        import onnxruntime
    except ImportError as error:
        return Finding(group, "ONNX Runtime", f"cannot be imported: {error}; install faceloom again", State.BROKEN)
    providers = ", ".join(name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers())
    return Finding(group, "ONNX Runtime", f"providers {providers}; used by methods that bring ONNX networks")


def codecs(store: Store) -> Iterator[Finding]:
    """Encoders of ``--codec``; H.264 must be there, the others are a choice."""
    found, absent = [], []
    for name, entry in CODECS.items():
        try:
            av.Codec(entry.encoder, "w")
            found.append(name)
        except av.codec.codec.UnknownCodecError:
            absent.append(name)
    library = ".".join(map(str, av.library_versions.get("libavcodec", ())))
    text = f"{', '.join(found)} (libavcodec {library})"
    if absent:
        text += f"; not in this build: {', '.join(absent)}"
    state = State.BROKEN if "h264" in absent else State.NOTE if absent else State.OK
    yield Finding("media", "video encoders", text, state)


def files(store: Store) -> Iterator[Finding]:
    """The store can be written, and the example media are here."""
    try:
        store.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=store.home):
            yield Finding("files", "weights folder", f"{store.home} (can be written)")
    except OSError as error:
        cure = "set FACELOOM_HOME to a folder that can be written"
        yield Finding("files", "weights folder", f"{store.home}: {error.strerror or error}; {cure}", State.BROKEN)
    try:
        yield Finding("files", "example media", str(example(TARGET).parent))
    except MediaError as error:
        yield Finding("files", "example media", str(error), State.NOTE)


def weights(store: Store) -> Iterator[Finding]:
    """Presence and hashes of what the installed methods need, and of the optional ones that are here."""
    needed = dict.fromkeys([*PERCEPTION, *(name for method in installed().values() for name in method.needs)])
    for record in store.list():
        status = store.status(record.name)
        if status is Status.DAMAGED:
            text = f"damaged; get it again with: faceloom weights pull {record.name}"
            yield Finding("weights", record.name, text, State.BROKEN)
        elif status is Status.PRESENT:
            yield Finding("weights", record.name, f"present, intact ({record.licence})")
        elif record.name in needed:
            text = (
                f"missing; pulled at first use ({record.bytes / 1e6:.1f} MB), or: faceloom weights pull {record.name}"
            )
            yield Finding("weights", record.name, text, State.NOTE)


def methods(store: Store) -> Iterator[Finding]:
    """Which methods can be loaded, and which cannot."""
    yield Finding("methods", "installed", ", ".join(installed()))
    for name, reason in unusable().items():
        yield Finding("methods", name, f"{reason}; repair or uninstall the package that brings it", State.NOTE)


def self_test(store: Store) -> Iterator[Finding]:
    """Find the one face in a bundled portrait, with every network of the tracker."""
    if any(store.status(name) is not Status.PRESENT for name in PERCEPTION):
        yield Finding("self-test", "perception", "skipped: the weights are not here yet", State.NOTE)
        return
    try:
        image = read_image(example(MOUTH))
    except MediaError:
        yield Finding("self-test", "perception", "skipped: there is no example picture", State.NOTE)
        return
    yield _timed(lambda: len(perceive_image(image, Perception(store), embeddings=True)))


def _timed(count_faces: Callable[[], int]) -> Finding:
    begin = time.perf_counter()
    try:
        faces = count_faces()
    except (FaceloomError, cv2.error, RuntimeError, ValueError) as error:
        return Finding("self-test", "perception", f"failed: {error}", State.BROKEN)
    took = f"in {time.perf_counter() - begin:.2f} s, networks loaded anew"
    if faces != 1:
        cure = "check the weights with: faceloom weights verify"
        return Finding("self-test", "perception", f"found {faces} faces instead of 1; {cure}", State.BROKEN)
    return Finding("self-test", "perception", f"found the face of the example portrait {took}")
