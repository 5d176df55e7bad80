from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from support.footage import write_video

from faceloom.errors import MediaError
from faceloom.media import RepeatedPicture, probe


@pytest.fixture
def video(tmp_path: Path) -> Path:
    write_video(tmp_path / "like.mp4", [np.full((64, 64, 3), 90, np.uint8)] * 3, codec="libx264", audio="aac")
    return tmp_path / "like.mp4"


@pytest.mark.parametrize(("mode", "size"), [("RGB", (40, 30)), ("RGB", (41, 31)), ("L", (40, 30)), ("RGBA", (40, 30))])
def test_the_picture_comes_at_the_times_asked_for(mode: str, size: tuple[int, int], video: Path) -> None:
    column, row = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    grey = (60 + 2 * column + row).astype(np.uint8)
    Pillow.fromarray(np.dstack([grey] * 3)).convert(mode).save(video.parent / "p.png")
    clip = RepeatedPicture(video.parent / "p.png", probe(video))
    clip.times = [Fraction(0), Fraction(1, 25), Fraction(3, 25)]
    with clip:
        frames = list(clip)
    assert [frame.time for frame in frames] == clip.times
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert np.abs(frames[2].image.astype(int) - grey[..., None]).max() <= 2
    assert (clip.info.width, clip.info.height, clip.info.fps) == (*size, 25)
    assert clip.info.audio == ()


def test_the_sound_is_the_clips(video: Path) -> None:
    Pillow.new("RGB", (40, 30)).save(video.parent / "p.png")
    info = RepeatedPicture(video.parent / "p.png", probe(video), sound=True).info
    assert info.path == video
    assert len(info.audio) == 1


def test_two_videos_are_refused(video: Path) -> None:
    with pytest.raises(MediaError, match="only a picture"):
        RepeatedPicture(video, probe(video))
