from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from weakref import WeakSet

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceloom.run.windows import STEADY_SUPPORT, Seen, scenes, window_length
from faceloom.types import Face, Frame

RNG = np.random.default_rng(4)
BASE = RNG.uniform(20, 90, (478, 3)).astype(np.float32)
PICTURE = np.zeros((4, 4, 3), np.uint8)


def seen(index: int, *tracks: int, cut: bool = False) -> Seen:
    noise = np.random.default_rng(index).normal(0, 0.4, (478, 3)).astype(np.float32)
    faces = tuple(Face(BASE + 10 * track + noise, np.zeros(52, np.float32), np.eye(4), 1.0, track) for track in tracks)
    step = np.random.default_rng(1000 + index).normal(0, 0.5, (478, 2)).astype(np.float32)
    motion = dict.fromkeys(tracks, step) if index else {}
    return Seen(Frame(index, Fraction(index, 25), PICTURE), faces, motion, cut)


def smoothed(stream: list[Seen], length: int, context: int) -> dict[int, dict[int, np.ndarray]]:
    """Landmarks by frame and track as the core of each window has them."""
    result: dict[int, dict[int, np.ndarray]] = {}
    for scene in scenes(stream, length, context):
        for position in range(*scene.window.core.indices(len(scene.window.frames))):
            faces = {track: faces[position] for track, faces in scene.tracks.items()}
            index = scene.window.frames[position].index
            assert index not in result, "a frame is edited once"
            result[index] = {track: face.landmarks for track, face in faces.items() if face is not None}
    return result


@given(
    frames=st.integers(0, 60),
    cuts=st.sets(st.integers(0, 59)),
    length=st.integers(1, 30),
    context=st.integers(0, 5),
)
def test_every_frame_once_in_order_and_never_across_a_cut(
    frames: int, cuts: set[int], length: int, context: int
) -> None:
    edited, firsts = [], []
    for scene in scenes([seen(i, cut=i in cuts or i == 0) for i in range(frames)], length, context):
        indices = [frame.index for frame in scene.window.frames]
        core = indices[scene.window.core]
        assert indices == list(range(indices[0], indices[-1] + 1))
        assert not cuts & set(indices[1:])
        assert 0 < len(core) <= length
        start = max([0, *(cut for cut in cuts if cut <= core[0])])
        end = min([frames, *(cut for cut in cuts if cut > core[-1])])
        assert indices[0] == max(start, core[0] - context)
        assert indices[-1] == min(end - 1, core[-1] + context)
        edited += core
        firsts.append(scene.window.first)
    assert edited == list(range(frames))
    assert firsts == [True, *[False] * (len(firsts) - 1)][: len(firsts)]


@pytest.mark.parametrize("length", [1, 4, 7, 24])
def test_faces_do_not_depend_on_the_windows(length: int) -> None:
    stream = [seen(i, *((1, 2) if i % 9 < 7 else (1,)), cut=i in (0, 33)) for i in range(50)]
    whole, cut = smoothed(stream, 1000, 2), smoothed(stream, length, 2)
    assert whole.keys() == cut.keys() == set(range(50))
    for index in range(50):
        assert whole[index].keys() == cut[index].keys()
        for track in whole[index]:
            np.testing.assert_array_equal(whole[index][track], cut[index][track])


def test_the_first_windows_of_a_clip_can_be_short() -> None:
    """So that editing begins before a whole window has been perceived."""
    stream = [seen(i, 1, cut=i in (0, 70)) for i in range(110)]
    lengths = [scene.window.core.stop - scene.window.core.start for scene in scenes(stream, 16, 2, 4)]
    assert lengths == [4, 8, 16, 16, 16, 10, 16, 16, 8]
    assert next(scenes(stream, 3, 2, 4)).window.core == slice(0, 3)
    assert next(scenes(stream, 16, 2)).window.core == slice(0, 16)


def test_faces_read_ahead_are_known() -> None:
    """Person 2 comes within the context of the first window, person 3 after it, but both are known of."""
    stream = [seen(i, *((1, 2) if i >= 5 else (1,)), *((3,) if i >= 7 else ()), cut=i == 0) for i in range(40)]
    first = next(scenes(stream, 4, 2))
    assert first.tracks.keys() == {1, 2}
    assert first.known == [face for item in stream[: 4 + 2 + STEADY_SUPPORT] for face in item.faces]


def test_memory_is_bounded() -> None:
    alive: WeakSet[Frame] = WeakSet()

    def stream() -> Iterator[Seen]:
        for index in range(150):
            item = seen(index, 1, cut=index == 0)
            alive.add(item.frame)
            yield item

    length, context, most = 6, 2, 0
    for _ in scenes(stream(), length, context):
        most = max(most, len(alive))
    assert length < most <= length + 2 * context + STEADY_SUPPORT + 1  # and the one in the producer's hand


@pytest.mark.parametrize(
    ("megabytes", "expected"),
    [(1, 16), (5, 16), (1000, 2)],
)
def test_window_length_falls_with_the_size_of_frames(megabytes: int, expected: int) -> None:
    assert window_length(megabytes << 20, 3) == expected
    assert 2 <= window_length((megabytes << 20) * 2, 3) <= expected
