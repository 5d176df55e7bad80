"""Who is in a clip: one pass of the tracker, with a thumbnail of everyone."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from faceloom.errors import TruncatedMediaError
from faceloom.media import ClipInfo, open_clip
from faceloom.media.reader import Seconds
from faceloom.perceive import Perception
from faceloom.perceive.tracker import FaceTracker
from faceloom.run.ahead import ahead
from faceloom.run.report import describe_track
from faceloom.run.sheet import Cell, cut_square, draw_sheet, fit
from faceloom.types import Face, Frame, Image, Track
from faceloom.weights import Store

WEIGHTS = ("face_landmarker", "yunet", "sface")
"""Weights that following faces needs."""

_THUMBNAIL = 192
_MARGIN = 0.35
_COLUMNS = 6

Progress = Callable[[int, int | None, int], None]
"""Called with frames done, frames expected (None if unknown) and frames without any face."""


@dataclass(frozen=True)
class Inspection:
    """Who is in a clip.

    info                 the file, as ``media.probe`` describes it.
    frames               frames looked at; ``frames_without_face`` of them show nobody.
    shots                runs of frames between hard cuts.
    tracks               everyone seen, by id: the ids that ``--face`` takes.
    thumbnails           by id, the face in the frame that shows it best, (192, 192, 3) uint8 RGB.
    damage               what is wrong with the file, empty when nothing is; what decodes was looked at.
    """

    info: ClipInfo
    frames: int
    frames_without_face: int
    shots: int
    tracks: list[Track]
    thumbnails: dict[int, Image] = field(default_factory=dict, compare=False)
    damage: str = ""

    def share(self, track: Track) -> float:
        """Share in [0, 1] of the frames in which this person is seen."""
        return track.frames / self.frames if self.frames else 0.0

    def describe(self) -> dict[str, Any]:
        """Everything but the thumbnails as plain values, times in seconds, for JSON."""
        info = self.info
        return {
            "file": str(info.path),
            "kind": info.kind,
            "width": info.width,
            "height": info.height,
            "fps": str(info.fps),
            "duration": round(float(info.duration), 3),
            "frames": self.frames,
            "frames_without_face": self.frames_without_face,
            "shots": self.shots,
            "damage": self.damage,
            "tracks": [
                {**describe_track(track), "share": round(self.share(track), 4), "best_frame": track.best_frame}
                for track in self.tracks
            ],
        }


def inspect_clip(
    target: str | os.PathLike[str],
    *,
    start: Seconds | None = None,
    end: Seconds | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Inspection:
    """Follow every face of a video or picture from ``start`` to ``end`` (seconds; None for its own start and end).

    A damaged video is looked at as far as it decodes; see ``Inspection.damage``.

    Raises:
        MediaError: the file cannot be read, or the range holds no part of it.
        WeightsError: weights are missing and cannot be pulled.
    """
    store = store or Store()
    with open_clip(target, start=start, end=end) as clip:
        store.ensure(WEIGHTS)
        tracker, thumbnails, damage = FaceTracker(Perception(store)), _Thumbnails(), ""
        frames = ahead(clip, depth=2)
        try:
            for frame in frames:
                thumbnails.update(frame, tracker.update(frame), tracker)
                counts = tracker.counts
                if progress is not None:
                    progress(counts.frames, clip.expected_frames, counts.frames_without_face)
        except TruncatedMediaError as error:
            damage = str(error)
        finally:
            frames.close()
        counts, tracks = tracker.counts, tracker.tracks()
        return Inspection(
            clip.info,
            counts.frames,
            counts.frames_without_face,
            counts.shots,
            tracks,
            {track.id: thumbnails.of[track.id] for track in tracks},
            damage,
        )


class _Thumbnails:
    """The best look at each person so far; as many as the tracker remembers people."""

    def __init__(self) -> None:
        self.of: dict[int, Image] = {}

    def update(self, frame: Frame, faces: list[Face], tracker: FaceTracker) -> None:
        tracks = {track.id: track for track in tracker.tracks()}
        for face in faces:
            if tracks[face.track].best_frame == frame.index:
                self.of[face.track] = fit(cut_square(frame.image, face.box, _MARGIN), _THUMBNAIL)
        for forgotten in self.of.keys() - tracks.keys():
            del self.of[forgotten]


def faces_sheet(inspection: Inspection) -> Image:
    """The thumbnails on one page, each with its id, time span and size. Raises ValueError when nobody was seen."""
    video = inspection.info.kind == "video"
    cells = []
    for track in inspection.tracks:
        span = f"{float(track.first):.2f}-{float(track.last):.2f} s, " if video else ""
        caption = (f"--face {track.id}", f"{span}{track.mean_size:.0f} px")
        cells.append(Cell(inspection.thumbnails[track.id], caption))
    rows = [cells[begin : begin + _COLUMNS] for begin in range(0, len(cells), _COLUMNS)]
    return draw_sheet(rows, _THUMBNAIL)
