"""Make the example clip: a synthetic person who turns the head, blinks and talks.

    pip install . openvino==2026.4.1
    python scripts/make_example_clip.py examples/target.mp4
    python scripts/make_example_clip.py --references examples/portraits examples/target.mp4

The second form also writes the two portraits that the examples take a mouth and eyes from.

Needs openvino beside faceloom; takes a few minutes on two cores and pulls about 45 MB of weights (MobileStyleGAN and
the face landmarker) into faceloom's store. The same seed gives the same clip up to rounding differences between
processors.

A portrait comes from the generator with its lips relaxed. Lids, irises, brows, lips and jaw move by warping the
portrait's own skin; teeth and tongue come from a second generated face; the head turns on a surface through the
landmarks' depth. Grain is added last, and a quiet synthetic babble follows the mouth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from example_clip.eyes import EyeRig
from example_clip.head_turn import HeadTurner
from example_clip.landmarks import Landmarks
from example_clip.motion import FPS, Moment, performance
from example_clip.mouth import MouthRig
from example_clip.person import SIZE, WEIGHTS, make_portraits, make_references
from example_clip.sound import RATE, babble
from numpy.typing import NDArray

from faceloom.media import write_image
from faceloom.weights import Store, progress_bars

SIDE = 512
_SEED = 2025
_BT709 = 1
"""The same number names the primaries, the transfer and the matrix of BT.709."""
_GRAIN = 2.0
_EYEBALL = 0.133
"""Radius of the eyeball over the distance between the outer eye corners."""
_BROW_RAISE = 0.035
_RIGHT_EYE, _LEFT_EYE = 33, 263


def render(store: Store, moments: list[Moment], rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """The frames of the clip, ``SIDE`` x ``SIDE`` RGB uint8."""
    person, open_mouth = make_portraits(store, Landmarks(store))
    points = person.landmarks
    scale = float(np.linalg.norm(points[_RIGHT_EYE, :2] - points[_LEFT_EYE, :2]))
    mouth = MouthRig(points, SIZE, open_mouth.image, open_mouth.landmarks)
    eyes, head = EyeRig(points), HeadTurner(points, SIZE)
    for moment in moments:
        gaze = tuple(_EYEBALL * scale * np.sin(np.radians(moment.gaze)))
        face = mouth.apply(person.image, moment.mouth)
        face = eyes.apply(face, moment.closure, gaze, _BROW_RAISE * scale * moment.brow)
        yield add_grain(head.render(face, moment.pose, SIDE), rng)


def add_grain(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Sensor noise: mostly brightness, a little colour, softened as a camera's own filter would."""
    shape = image.shape[:2]
    grain = _GRAIN * rng.standard_normal((*shape, 1)) + 0.5 * _GRAIN * rng.standard_normal((*shape, 3))
    grain = cv2.GaussianBlur(grain.astype(np.float32), (0, 0), 0.6) * 1.6
    return np.clip(np.rint(image + grain), 0, 255).astype(np.uint8)


def write_clip(path: Path, frames: Iterator[NDArray[np.uint8]], sound: NDArray[np.float32]) -> None:
    """H.264 and AAC in MP4, under the final name only when complete."""
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        with av.open(str(partial), "w", options={"movflags": "faststart"}) as container:
            video = container.add_stream("libx264", rate=FPS, options={"crf": "16", "preset": "slow"})
            video.width = video.height = SIDE
            video.pix_fmt = "yuv420p"
            context = video.codec_context
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = ColorRange.MPEG
            audio = container.add_stream("aac", rate=RATE, layout="mono", bit_rate=64000)
            for frame in frames:
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
                planes = picture.reformat(
                    format="yuv420p",
                    src_colorspace=Colorspace.ITU709,
                    dst_colorspace=Colorspace.ITU709,
                    src_color_range=ColorRange.JPEG,
                    dst_color_range=ColorRange.MPEG,
                )
                container.mux(video.encode(planes))
            container.mux(video.encode())
            for start in range(0, len(sound), audio.codec_context.frame_size or 1024):
                block = sound[None, start : start + (audio.codec_context.frame_size or 1024)]
                packet = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="mono")
                packet.sample_rate, packet.pts, packet.time_base = RATE, start, Fraction(1, RATE)
                container.mux(audio.encode(packet))
            container.mux(audio.encode())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="the clip to write, .mp4")
    parser.add_argument("--references", type=Path, metavar="FOLDER", help="also write the reference portraits there")
    arguments = parser.parse_args()
    store = Store()
    with progress_bars() as progress:
        store.ensure(["face_landmarker", *WEIGHTS], progress)
    if arguments.references is not None:
        for name, portrait in make_references(store).items():
            small = cv2.resize(portrait, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            write_image(arguments.references / name, small, overwrite=True)
    rng = np.random.default_rng(_SEED)
    moments = performance(rng)
    sound = babble(np.array([moment.mouth.jaw for moment in moments]), FPS, rng)
    write_clip(arguments.output, render(store, moments, rng), sound)


if __name__ == "__main__":
    main()
