from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from faceloom.run.select import Selector, explain_nobody
from faceloom.run.windows import Scene
from faceloom.types import Face, Track, Window


def face(track: int, size: float) -> Face:
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[1, :2] = size
    return Face(landmarks, np.zeros(52, np.float32), np.eye(4), 1.0, track)


def scene(**sizes: float) -> Scene:
    """A window of one frame: ``a=10`` is track 1 of 10 pixels, ``b`` track 2, and so on."""
    faces = {ord(name) - 96: face(ord(name) - 96, size) for name, size in sizes.items()}
    return Scene(Window([], slice(0, 0)), {track: [one] for track, one in faces.items()}, list(faces.values()))


def test_largest_stays_with_the_person_it_chose() -> None:
    selector = Selector("largest")
    assert selector.choose(scene()) == []
    assert selector.choose(scene(a=10, b=30)) == [2]
    assert selector.choose(scene(a=90, b=30)) == [2]
    assert selector.choose(scene(a=90)) == []
    assert selector.choose(scene(a=90, b=5)) == [2]


def test_largest_counts_the_frames_read_ahead() -> None:
    """Track 1 is larger in the window itself, track 2 soon after."""
    here = scene(a=30, b=20)
    assert Selector("largest").choose(here) == [1]
    assert Selector("largest").choose(replace(here, known=[*here.known, face(2, 40)])) == [2]


def test_all() -> None:
    selector = Selector("all")
    assert selector.choose(scene(a=10, c=30)) == [1, 3]
    assert selector.choose(scene()) == []


def test_an_id() -> None:
    selector = Selector("2")
    assert selector.choose(scene(a=10)) == []
    assert selector.choose(scene(a=90, b=3)) == [2]


@pytest.mark.parametrize(
    ("tracks", "says"),
    [
        ([], "no face was found in any frame"),
        ([Track(4, Fraction(0), Fraction(1), 5, 80.0, 2)], "Tracks in this clip: 4"),
    ],
)
def test_nobody_is_explained(tracks: list[Track], says: str) -> None:
    message = str(explain_nobody("clip.mp4", "9", tracks))
    assert "clip.mp4" in message and says in message and "faceloom inspect" in message
