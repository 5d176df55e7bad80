"""A picture as a clip: shown again and again, at the times of another clip and with its sound if wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from faceloom.errors import MediaError
from faceloom.media.colour import LIMITED, ColourTags, Matrix
from faceloom.media.edit import from_rgb
from faceloom.media.formats import PlaneFormat
from faceloom.media.info import ClipInfo
from faceloom.media.native import to_rgb
from faceloom.media.probe import probe
from faceloom.media.reader import Clip
from faceloom.media.still import read_still
from faceloom.types import Frame

_HD = 1
"""H.273 code point of BT.709."""


class RepeatedPicture(Clip):
    """The picture at ``path`` as a video with the rate of the clip ``like``, and with its sound if ``sound`` says so.

    Frames are 8-bit Y'CbCr of BT.709, 4:2:0 where the size is even, so that every player shows what is made of them.
    Set ``times`` before reading: the presentation times of the frames, seconds, as those of ``like``. Raises
    ``MediaError`` when ``path`` is no picture or ``like`` no video.
    """

    def __init__(self, path: str | os.PathLike[str], like: ClipInfo, *, sound: bool = False) -> None:
        picture = probe(path)
        if picture.kind != "image" or like.kind != "video":
            raise MediaError(f"{path}: only a picture can be shown at the times of a video, here of {like.path}.")
        step = 1 if picture.width % 2 or picture.height % 2 else 2
        planes, matrix = PlaneFormat("yuv", 8, step, step), Matrix(_HD, full=False)
        info = replace(
            picture,
            # Where the sound is read from.
            path=like.path if sound else picture.path,
            kind="video",
            duration=like.duration,
            fps=like.fps,
            frame_count=like.frame_count,
            rotation=0,
            mirrored=False,
            variable_frame_rate=like.variable_frame_rate,
            pixel_format=planes.name,
            bit_depth=8,
            colour=ColourTags(_HD, _HD, _HD, LIMITED),
            planes=planes,
            matrix=matrix,
            time_base=like.time_base,
            origin=like.origin,
            audio=like.audio if sound else (),
        )
        super().__init__(info, None, None, allow_partial=False)
        self.times: Sequence[Fraction] = ()
        self._native = from_rgb(to_rgb(read_still(picture.path).native), planes, matrix)

    def _video_frames(self) -> Iterator[Frame]:
        image = to_rgb(self._native)
        for array in (image, *self._native.planes):
            array.flags.writeable = False
        for index, time in enumerate(self.times):
            yield Frame(index, time, image, self._native)
