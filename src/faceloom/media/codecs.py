"""The video codecs on offer, their settings, and which pixel format each is given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from faceloom.errors import MediaError
from faceloom.media.formats import PlaneFormat, choose, name_for
from faceloom.media.info import ClipInfo


@dataclass(frozen=True)
class Codec:
    """One entry of the menu.

    encoder  libav's name of it.
    crf      default constant rate factor (lower is better and larger), None if the codec has none.
    preset   default speed preset, None if the codec has none.
    options  further encoder options that are always set.
    large    and those for frames of 1280×720 and more, unless a preset is named.
    preset_option  libav's name of the preset option.
    whole_blocks   the size must be a whole number of chroma blocks.
    """

    encoder: str
    crf: int | None = None
    preset: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    large: Mapping[str, str] = field(default_factory=dict)
    preset_option: str = "preset"
    whole_blocks: bool = False


_LARGE = 1280 * 720
CODECS: dict[str, Codec] = {
    # The second pass of sub-pixel search is a third of the encoding, and gains 0.03 to 0.3 dB at that size.
    "h264": Codec("libx264", 18, "veryfast", large={"x264-params": "subme=1"}, whole_blocks=True),
    "hevc": Codec("libx265", 20, "fast", {"x265-params": "log-level=error"}, whole_blocks=True),
    "av1": Codec("libsvtav1", 25, "8"),
    "vp9": Codec("libvpx-vp9", 24, "4", {"deadline": "good", "row-mt": "1", "b": "0"}, preset_option="cpu-used"),
    "prores": Codec("prores_ks", options={"profile": "auto"}),
    "ffv1": Codec("ffv1", options={"level": "3", "slicecrc": "1"}),
}
"""Codecs by the name that users give."""


def add_video(
    container: OutputContainer, info: ClipInfo, codec: str, crf: int | None, preset: str | None, out: Path
) -> tuple[VideoStream, PlaneFormat]:
    """Add an encoder for the clip to ``container``; the stream and the pixel format it takes.

    The format is the clip's own if the codec takes it, else the nearest (``formats.choose``). Colour tags, frame rate,
    time base and pixel aspect are the clip's.

    Raises MediaError if the codec is unknown, has no such setting, or does not fit the container.
    """
    entry = CODECS.get(codec)
    if entry is None:
        raise MediaError(f"{out}: unknown codec {codec!r}. Use one of {', '.join(CODECS)}.")
    if codec == "av1":
        os.environ.setdefault("SVT_LOG", "1")  # the encoder's only switch for the report it prints on stderr
    options = _options(entry, codec, crf, preset, out)
    if preset is None and info.width * info.height >= _LARGE:
        options |= entry.large
    names = [known.name for known in av.Codec(entry.encoder, "w").video_formats or ()]
    fmt = choose(info.planes, names, (info.width, info.height) if entry.whole_blocks else None)
    try:
        stream = container.add_stream(entry.encoder, rate=info.fps, options=options)
    except ValueError as error:
        raise MediaError(
            f"{out}: {out.suffix} files cannot hold {codec} video. Use .mkv, or another --codec."
        ) from error
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = info.width, info.height, name_for(fmt, names)
    stream.codec_context.time_base = info.time_base
    stream.codec_context.sample_aspect_ratio = info.pixel_aspect
    if codec == "hevc" and out.suffix.lower() in (".mp4", ".m4v", ".mov"):
        stream.codec_context.codec_tag = "hvc1"  # what players of these containers look for
    _tag_colours(stream, info, fmt)
    return stream, fmt


def _options(entry: Codec, name: str, crf: int | None, preset: str | None, out: Path) -> dict[str, str]:
    options = dict(entry.options)
    if crf is not None and entry.crf is None:
        raise MediaError(f"{out}: {name} has no --crf. Leave it out, or use another --codec.")
    if preset is not None and entry.preset is None:
        raise MediaError(f"{out}: {name} has no --preset. Leave it out, or use another --codec.")
    if entry.crf is not None:
        options["crf"] = str(entry.crf if crf is None else crf)
    if entry.preset is not None:
        options[entry.preset_option] = preset or entry.preset
    return options


def _tag_colours(stream: VideoStream, info: ClipInfo, fmt: PlaneFormat) -> None:
    """Carry the tags over; state the matrix where a player would otherwise guess another one than we decoded with."""
    context, tags = stream.codec_context, info.colour
    context.color_primaries, context.color_trc = tags.primaries, tags.transfer
    if fmt.family == "rgb":
        context.colorspace, context.color_range = 0, 2
        return
    guess_changes = info.rotation % 180 == 90 or info.planes.family == "rgb"
    context.colorspace = info.matrix.space if tags.space == 2 and guess_changes else tags.space or 2
    full_unsaid = info.matrix.full and not tags.range
    context.color_range = 2 if full_unsaid or info.planes.family == "rgb" else tags.range


def frame_duration(step: Fraction, time_base: Fraction) -> int:
    """``step`` seconds in ticks, at least one."""
    return max(1, round(step / time_base))
