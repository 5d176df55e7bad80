"""What is known of a file without reading all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from faceloom.media.colour import ColourTags, Matrix
from faceloom.media.formats import PlaneFormat


@dataclass(frozen=True)
class AudioInfo:
    """One audio stream; ``sample_rate`` in Hz, ``language`` as tagged ("und" if it is not)."""

    codec: str
    sample_rate: int
    channels: int
    language: str = "und"


@dataclass(frozen=True)
class ClipInfo:
    """A video or a picture.

    duration            seconds; 0 for a picture.
    fps                 average frame rate as the container states it (exact, e.g. 30000/1001); 1 for a picture.
    frame_count         as the container states it, None where it does not; 1 for a picture.
    width, height       pixels of the upright picture (rotation applied; pixel aspect ratio not applied).
    rotation            clockwise quarter turn (0, 90, 180, 270) that makes the stored picture upright.
    mirrored            the stored picture is also mirrored left to right, before it is turned.
    variable_frame_rate frame intervals differ by more than the rounding of time stamps.
    pixel_format        the file's own, as libav names it; ``planes`` is what frames are kept in.
    matrix              the Y'CbCr encoding in force after resolving what ``colour`` leaves open.
    time_base           unit of the file's time stamps, seconds.
    origin              time stamp, in seconds, that counts as time 0 (a transport stream starts anywhere).
    pixel_aspect        width over height of a displayed pixel, upright.
    metadata            tags of the file (title, comment, ...), keys in lower case.
    """

    path: Path
    kind: Literal["video", "image"]
    container: str
    codec: str
    duration: Fraction
    fps: Fraction
    frame_count: int | None
    width: int
    height: int
    rotation: int
    mirrored: bool
    variable_frame_rate: bool
    pixel_format: str
    bit_depth: int
    colour: ColourTags
    planes: PlaneFormat
    matrix: Matrix
    time_base: Fraction = Fraction(1)
    origin: Fraction = Fraction(0)
    pixel_aspect: Fraction = Fraction(1)
    audio: tuple[AudioInfo, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def frame_bytes(self) -> int:
        """Memory of one frame, RGB and planes together."""
        samples = 3 if self.planes.family != "gray" else 1
        per_sample = 1 if self.planes.bits == 8 else 2
        chroma = 2 / (self.planes.step_x * self.planes.step_y) if self.planes.family == "yuv" else samples - 1
        return int(self.width * self.height * (3 + per_sample * (1 + chroma + self.planes.alpha)))
