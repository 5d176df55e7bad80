from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.fixtures import Footage
from support.footage import Picture

from faceloom.errors import MediaError
from faceloom.run.inspect import faces_sheet, inspect_clip
from faceloom.weights import Store


def test_two_people(footage: Footage, store: Store) -> None:
    calls: list[tuple[int, int | None, int]] = []
    found = inspect_clip(footage.two, store=store, progress=lambda *numbers: calls.append(numbers))
    assert (found.frames, found.frames_without_face, found.shots, found.damage) == (10, 0, 1, "")
    assert [track.id for track in found.tracks] == [1, 2] and found.tracks[0].mean_size > found.tracks[1].mean_size
    assert [found.share(track) for track in found.tracks] == [1.0, 1.0]
    assert all(picture.shape == (192, 192, 3) for picture in found.thumbnails.values())
    assert len(calls) == 10 and calls[-1][0] == 10


def test_thumbnails_show_the_best_frame(footage: Footage, store: Store) -> None:
    from faceloom.media import open_clip
    from faceloom.perceive import Perception, perceive_image
    from faceloom.run.sheet import cut_square, fit

    found = inspect_clip(footage.plain, store=store)
    (track,) = found.tracks
    with open_clip(footage.plain) as clip:
        frame = next(frame for frame in clip if frame.index == track.best_frame)
    (face,) = perceive_image(frame.image, Perception(store))
    expected = fit(cut_square(frame.image, face.box, 0.35), 192)
    assert np.abs(found.thumbnails[1].astype(int) - expected).mean() < 12  # boxes differ by a pixel or two


def test_absence_is_counted(footage: Footage, store: Store) -> None:
    found = inspect_clip(footage.gaps, store=store)
    (track,) = found.tracks
    assert (found.frames, found.frames_without_face, track.frames) == (16, 4, 12)
    assert found.share(track) == 0.75
    assert (float(track.first), float(track.last)) == (0.0, pytest.approx(0.6))


def test_part_of_a_clip(footage: Footage, store: Store) -> None:
    found = inspect_clip(footage.sound, start=0.4, end=0.8, store=store)
    assert found.frames == 10
    assert (float(found.tracks[0].first), float(found.tracks[0].last)) == (pytest.approx(0.4), pytest.approx(0.76))


def test_a_picture(store: Store, tmp_path: Path, portraits: dict[str, Picture]) -> None:
    from PIL import Image as Pillow

    Pillow.fromarray(portraits["person_04"]).save(tmp_path / "a.webp")
    found = inspect_clip(tmp_path / "a.webp", store=store)
    assert found.info.kind == "image" and found.frames == 1 and len(found.tracks) == 1


def test_nobody(footage: Footage, store: Store) -> None:
    found = inspect_clip(footage.nobody, store=store)
    assert (found.tracks, found.frames_without_face) == ([], 8)
    with pytest.raises(ValueError):
        faces_sheet(found)


def test_a_damaged_clip_is_looked_at_as_far_as_it_goes(footage: Footage, store: Store, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(footage.sound.read_bytes()[: footage.sound.stat().st_size * 7 // 10])
    found = inspect_clip(cut, store=store)
    assert 0 < found.frames < 30 and "cut.mp4: the video is damaged" in found.damage


def test_no_such_file(store: Store, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        inspect_clip(tmp_path / "none.mp4", store=store)


def test_description_is_plain(footage: Footage, store: Store) -> None:
    read = json.loads(json.dumps(inspect_clip(footage.gaps, store=store).describe()))
    assert read["frames"] == 16 and read["fps"] == "25" and (read["width"], read["height"]) == (256, 256)
    assert read["tracks"][0]["id"] == 1 and read["tracks"][0]["share"] == 0.75


def test_sheet_has_everyone(footage: Footage, store: Store) -> None:
    found = inspect_clip(footage.two, store=store)
    page = faces_sheet(found)
    for number, picture in enumerate(found.thumbnails.values()):
        left = 8 + number * 200
        np.testing.assert_array_equal(page[8:200, left : left + 192], picture)
