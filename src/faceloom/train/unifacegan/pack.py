"""Folders of clips to packed clips: decode, find the main face, fit the 3D model, cut, write. Resumable by clips."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceloom.errors import FaceError, FaceloomError, MediaError
from faceloom.geometry.mesh_texture import take_texture
from faceloom.media import open_clip, read_image
from faceloom.perceive import FaceTracker, Perception, still_weights
from faceloom.perceive.morphable import (
    MORPHABLE_WEIGHTS,
    MorphableModel,
    MorphableParameters,
    MorphableRegressor,
    MotionTemplate,
    adjust_to_landmarks,
    read_morphable_model,
    smooth_motion,
)
from faceloom.train.data.align import EXTENSIONS
from faceloom.train.unifacegan.clips import CLIPS, ClipEntry, PackedClip, read_entry, write_clip, write_index
from faceloom.train.unifacegan.crops import camera_in, cut, face_square, follow
from faceloom.types import Frame
from faceloom.weights import Store

VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
PACK_WEIGHTS = (*still_weights(embeddings=True), *MORPHABLE_WEIGHTS)
"""Weights that packing needs."""
_RATE = 25
"""Frames a second of a folder of pictures."""


@dataclass(frozen=True)
class PackOptions:
    """How clips are packed.

    size      side of the packed frames, pixels.
    margin    side of what is cut out, in sides of the face.
    frames    most frames of a clip to look at, from its beginning; None takes all.
    smallest  faces whose square has fewer source pixels a side than this share of ``size`` are left out.
    """

    size: int = 256
    margin: float = 1.9
    frames: int | None = None
    smallest: float = 0.5


def find_clips(folder: Path) -> list[Path]:
    """Videos at any depth, and folders that hold at least two pictures, sorted: VoxCeleb2's layout and any other.

    Raises:
        MediaError: no such folder, or no clip in it.
    """
    if not folder.is_dir():
        raise MediaError(f"{folder}: is not a folder. Name a folder of videos, or of folders of frames.")
    visible = [path for path in sorted(folder.rglob("*")) if not any(p.startswith(".") for p in _below(path, folder))]
    pictures: dict[Path, int] = defaultdict(int)
    for path in visible:
        if path.suffix.lower() in EXTENSIONS and path.is_file():
            pictures[path.parent] += 1
    videos = [path for path in visible if path.suffix.lower() in VIDEOS and path.is_file()]
    clips = sorted([*videos, *(path for path, count in pictures.items() if count > 1)])
    if not clips:
        raise MediaError(f"{folder}: there is no clip in it. Known are {' '.join(VIDEOS)} and folders of pictures.")
    return clips


def pack_clips(
    folder: Path,
    output: Path,
    options: PackOptions,
    store: Store,
    *,
    workers: int = 1,
    complain: Callable[[str], None] = lambda message: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ClipEntry]:
    """Pack all clips below ``folder``; clips that are packed in ``output`` already are kept.

    Args:
        folder: clips, see ``find_clips``.
        output: folder to write; made if missing.
        options: how.
        store: has ``PACK_WEIGHTS``.
        workers: processes.
        complain: told about each clip that is left out, and why.
        progress: told how many clips are done, of how many.

    Raises:
        MediaError: no clips, the output cannot be written or was packed with other options.
        FaceError: no clip shows a face in two frames in a row.
    """
    clips = find_clips(folder)
    try:
        (output / CLIPS).mkdir(parents=True, exist_ok=True)
        _same_options(output, options)
    except OSError as error:
        raise MediaError(f"{output}: cannot be written ({error.strerror or error}). Choose another folder.") from error
    jobs = [(path, str(path.relative_to(folder)), output, options, store) for path in clips]
    entries: list[ClipEntry] = []
    with ExitStack() as stack:
        results: Iterator[ClipEntry | str]
        if workers > 1:
            # Not forked: decoders and networks have threads.
            pool = stack.enter_context(ProcessPoolExecutor(workers, get_context("spawn")))
            results = pool.map(_packed, jobs)
        else:
            results = map(_packed, jobs)
        for done, result in enumerate(results, 1):
            if isinstance(result, str):
                complain(result)
            elif result.pairs:
                entries.append(result)
            progress(done, len(clips))
    if not entries:
        raise FaceError(f"{folder}: no clip shows a large enough face in two frames in a row; nothing was packed")
    write_index(output, options.size, entries)
    return entries


def _packed(job: tuple[Path, str, Path, PackOptions, Store]) -> ClipEntry | str:
    """Pack one clip unless that is done, or say why it is left out."""
    path, source, output, options, store = job
    name = _name_of(source)
    if (there := read_entry(output, name)) is not None:
        return there
    try:
        clip = pack_clip(path, options, *_tools(store))
    except (MediaError, FaceError) as error:
        return f"{source} is left out: {error}"
    return write_clip(output, name, source, clip)


def pack_clip(
    path: Path, options: PackOptions, perception: Perception, regressor: MorphableRegressor, model: MorphableModel
) -> PackedClip:
    """The main face of a clip: largest, counted over all frames.

    Raises:
        MediaError: the clip cannot be read.
        FaceError: no face that is large enough in two frames in a row.
    """
    track = _follow_main_face(path, options, perception, regressor, model)
    squares, follows = follow(track.boxes, track.times, track.cuts, options.margin)
    large = np.array([square is not None and square.side >= options.smallest * options.size for square in squares])
    follows[1:] &= large[1:] & large[:-1]
    # A frame without a neighbour is of no use.
    kept = follows.copy()
    kept[:-1] |= follows[1:]
    if not kept.any():
        raise FaceError(
            f"{path}: no face of at least {options.smallest * options.size / options.margin:.0f} pixels in two frames "
            "in a row"
        )
    motion = smooth_motion(MotionTemplate.of(track.faces, track.times, track.width, track.height), track.cuts)
    frames, faces, sides = [], list[MorphableParameters](), []
    for frame in islice(_frames(path), len(kept)):
        square, face = squares[frame.index], motion.parameters(frame.index)
        if kept[frame.index] and square is not None and face is not None:
            frames.append(cut(frame.image, square, options.size))
            faces.append(replace(face, camera=camera_in(face.camera, square, options.size)))
            picture = frames[-1].astype(np.float32) / np.float32(255)
            texture = take_texture(picture, model.vertices(faces[-1]), model.triangles, model.mirror)
            sides.append(np.rint(texture.side * 255).astype(np.uint8))
    times = [time for time, chosen in zip(track.times, kept, strict=True) if chosen]
    inside = MotionTemplate.of(faces, times, options.size, options.size)
    return PackedClip(np.stack(frames), inside, np.stack(sides), follows[kept])


@dataclass(frozen=True, eq=False)
class _Track:
    faces: list[MorphableParameters | None]
    boxes: NDArray[np.float64]
    times: list[Fraction]
    cuts: NDArray[np.bool_]
    width: int
    height: int


def _follow_main_face(
    path: Path, options: PackOptions, perception: Perception, regressor: MorphableRegressor, model: MorphableModel
) -> _Track:
    tracker = FaceTracker(perception, max_faces=4)
    times, cuts = list[Fraction](), list[bool]()
    seen: dict[int, dict[int, tuple[MorphableParameters, tuple[float, float, float]]]] = defaultdict(dict)
    width = height = 0
    for frame in islice(_frames(path), options.frames):
        found = tracker.update(frame)
        times.append(frame.time)
        cuts.append(tracker.new_shot)
        width, height = frame.width, frame.height
        for face in found:
            fitted = regressor.from_landmarks(frame.image, face.landmarks)
            fitted = adjust_to_landmarks(model, fitted, face.landmarks, regressor.expression_deviation)
            seen[face.track][frame.index] = fitted, face_square(face.landmarks)
    if not seen:
        raise FaceError(f"{path}: no face was found in {len(times)} frames")
    main = max(seen.values(), key=lambda frames: sum(box[2] for _, box in frames.values()))
    boxes = np.full((len(times), 3), np.nan)
    for index, (_, box) in main.items():
        boxes[index] = box
    faces = [main[index][0] if index in main else None for index in range(len(times))]
    return _Track(faces, boxes, times, np.array(cuts, bool), width, height)


def _frames(path: Path) -> Iterator[Frame]:
    """The frames of a video, or of a folder of pictures in the order of their names with numbers as numbers."""
    if not path.is_dir():
        with open_clip(path, allow_partial=True) as clip:
            yield from clip
        return
    pictures = [file for file in path.iterdir() if file.suffix.lower() in EXTENSIONS]
    size: tuple[int, ...] | None = None
    for index, file in enumerate(sorted(pictures, key=_by_number)):
        image = read_image(file)
        if size is not None and image.shape != size:
            raise MediaError(f"{file}: is {image.shape[1]} x {image.shape[0]}, unlike the pictures before it")
        size = image.shape
        yield Frame(index, Fraction(index, _RATE), image)


def _by_number(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _name_of(source: str) -> str:
    """A folder name that is readable and belongs to one clip alone."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", source).strip("_")[-60:]
    return f"{plain}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def _below(path: Path, folder: Path) -> Sequence[str]:
    return path.relative_to(folder).parts


def _same_options(output: Path, options: PackOptions) -> None:
    """Clips of one folder are packed alike; the first run writes down how."""
    note, text = output / CLIPS / "options.txt", repr(options)
    if note.is_file() and (before := note.read_text(encoding="utf-8")) != text:
        raise MediaError(f"{output}: holds clips packed with {before}, not {text}; choose another folder")
    note.write_text(text, encoding="utf-8")


@cache
def _tools(store: Store) -> tuple[Perception, MorphableRegressor, MorphableModel]:
    """Of one process, each made once."""
    try:
        return Perception(store, threads=1), MorphableRegressor(store), read_morphable_model(store)
    except MediaError as error:  # would pass for a clip that cannot be read
        raise FaceloomError(str(error)) from error
