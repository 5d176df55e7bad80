"""Keeping what a truncated clip gave, and memory that does not grow with length."""

from __future__ import annotations

import subprocess
import sys

import pytest

from faceloom.errors import TruncatedMediaError
from faceloom.media import ClipWriter, open_clip, probe

MEASURE = """
import sys
from pathlib import Path
from faceloom.media import ClipWriter, open_clip
with open_clip(sys.argv[1]) as clip, ClipWriter.like(clip, sys.argv[2], preset="ultrafast") as sink:
    for frame in clip:
        sink.write(frame)
# Not ru_maxrss, which counts the parent too, from before this program was loaded.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])
"""


def test_catching_the_error_inside_the_block_keeps_the_output(tmp_path, tools):
    planes = [tools.noise_planes("yuv420p", 64, 64, seed) for seed in range(60)]
    source = tools.make_clip(
        tmp_path / "a.mp4", planes, options={"g": "10"}, audio="aac", container_options={"movflags": "+faststart"}
    )
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 2 // 3])
    out = tmp_path / "b.mp4"
    with open_clip(source) as clip, ClipWriter.like(clip, out) as sink, pytest.raises(TruncatedMediaError):
        for frame in clip:
            sink.write(frame)
    info = probe(out)
    assert info.frame_count == clip.frames_read > 20
    end = tools.decoded_times(out)[-1]
    assert tools.audio_packets(out)[-1][0] <= end + 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak from /proc")
def test_memory_does_not_grow_with_length(tmp_path, tools):
    peaks = []
    for frames in (60, 900):
        planes = [tools.flat_planes("yuv420p", 320, 240, index) for index in range(frames)]
        source = tools.make_clip(tmp_path / f"{frames}.mp4", planes, options={"preset": "ultrafast"}, audio="aac")
        command = [sys.executable, "-c", MEASURE, str(source), str(tmp_path / f"{frames} out.mp4")]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert peaks[1] <= 1.1 * peaks[0], peaks
