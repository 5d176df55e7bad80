from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceloom.perceive.association import (
    best_assignment,
    eye_midpoint,
    face_size,
    is_plausible,
    landmark_box,
    landmark_distance,
    moved_too_far,
    overlap,
    same_place,
)
from faceloom.perceive.gallery import Gallery
from faceloom.perceive.identification import Identifier

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "perceive" / "real_nets.npz")
PEOPLE = [GOLDEN[f"person_{number:02}.landmarks"].astype(np.float64) for number in range(1, 9)]
FACE = PEOPLE[0]


def placed(scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0), turn: float = 0.0) -> np.ndarray:
    """The face scaled and turned (degrees) about the middle of its 512-px picture, then moved."""
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    face = FACE.copy()
    face[:, :2] = scale * (FACE[:, :2] - 256) @ np.array([[cos, sin], [-sin, cos]]) + 256 + np.asarray(shift)
    return face


def unit(*values: float) -> np.ndarray:
    vector = np.zeros(128, np.float32)
    vector[: len(values)] = values
    return vector / np.linalg.norm(vector)


def test_box_size_and_eyes() -> None:
    points = np.array([[10.0, 20.0, 0.0], [40.0, 30.0, 5.0], [20.0, 95.0, 1.0]])
    assert landmark_box(points).tolist() == [10, 20, 40, 95]
    assert face_size(points) == pytest.approx(np.sqrt(30 * 75))
    assert eye_midpoint(FACE) == pytest.approx(FACE[[33, 133, 263, 362], :2].mean(axis=0))


def test_overlap_of_boxes_by_hand() -> None:
    square = np.array([0.0, 0.0, 10.0, 10.0])
    assert overlap(square, square) == 1.0
    assert overlap(square, square + 5) == pytest.approx(25 / 175)
    assert overlap(square, square + 10) == 0.0
    assert overlap(square, np.array([3.0, 3.0, 3.0, 9.0])) == 0.0


def test_distance_is_in_sizes_of_the_smaller_face() -> None:
    assert landmark_distance(FACE, placed(shift=(30, 40))) == pytest.approx(50 / face_size(FACE))


def test_duplicates_and_neighbours() -> None:
    assert same_place(FACE, placed(1.05, (10, -8)))
    assert not same_place(FACE, placed(shift=(150, 0)))
    assert not same_place(FACE, placed(0.3, (0, 40)))


def test_no_face_jumps_or_swells_in_one_frame() -> None:
    size = face_size(FACE)
    assert not moved_too_far(FACE, placed(1.2, (0.4 * size, 0)))
    assert moved_too_far(FACE, placed(shift=(0.8 * size, 0)))
    assert moved_too_far(FACE, placed(2.0))
    assert moved_too_far(FACE, placed(0.5))
    assert moved_too_far(FACE, np.zeros_like(FACE))


@pytest.mark.parametrize("turn", [0, 45, 90, 180, -120])
def test_real_faces_are_plausible_at_any_angle(turn: float) -> None:
    assert is_plausible(placed(turn=turn), 512, 512)
    assert all(is_plausible(face, 512, 512) for face in PEOPLE)


def test_absurd_faces_are_not_plausible() -> None:
    squeezed = FACE.copy()
    squeezed[:, 0] = 256 + 0.1 * (squeezed[:, 0] - 256)
    crossed = FACE.copy()
    crossed[[33, 133, 263, 362, 61, 291]] = FACE[[61, 61, 291, 291, 33, 263]]
    broken = FACE.copy()
    broken[7, 1] = np.nan
    for absurd in (squeezed, crossed, broken, placed(0.02), placed(shift=(400, 0)), np.zeros_like(FACE)):
        assert not is_plausible(absurd, 512, 512)


def test_assignment_takes_the_best_sum_and_leaves_the_rest() -> None:
    scores = np.array([[0.9, 0.8], [0.85, 0.1], [0.2, 0.3]])
    assert best_assignment(scores, 0.4) == [(0, 1), (1, 0)]
    assert best_assignment(scores, 0.95) == []
    assert best_assignment(np.zeros((0, 3)), 0.4) == []


def test_gallery_knows_people_by_their_nearest_look() -> None:
    gallery = Gallery(exemplars=2)
    gallery.add(1, unit(1, 0))
    gallery.add(1, unit(0, 1))
    assert gallery.likeness(1, unit(0, 1)) == pytest.approx(1.0)
    gallery.add(1, unit(0, 0, 1))  # full: blended into the nearest, not added
    assert 0.1 < gallery.likeness(1, unit(0, 0, 1)) < 0.5
    assert gallery.likeness(9, unit(1)) == -1.0
    assert gallery.likenesses([unit(1)], [1, 9]).shape == (1, 2)
    gallery.forget(1)
    gallery.forget(1)
    assert 1 not in gallery
    assert len(gallery) == 0
    with pytest.raises(ValueError, match="exemplars"):
        Gallery(exemplars=0)


def identifier(*looks: np.ndarray) -> Identifier:
    """An identifier that knows people 1, 2, ... by these looks."""
    known = Identifier()
    names = known.assign(looks, [None] * len(looks), [], np.zeros((len(looks), 0)), [False] * len(looks))
    assert names == list(range(1, len(looks) + 1))
    for name, look in enumerate(looks, start=1):
        known.gallery.add(name, look)
    return known


def test_new_faces_get_known_or_new_names() -> None:
    known = identifier(unit(1, 0), unit(0, 1))
    faces = [unit(0, 0, 1), unit(0.1, 1), unit(0, 0, 0, 1)]
    assert known.assign(faces, [None] * 3, [1, 2], np.zeros((3, 2)), [False, False, True]) == [3, 2, None]


def test_one_name_is_given_once() -> None:
    known = identifier(unit(1, 0))
    assert known.assign([unit(1, 0.3), unit(1, 0)], [None] * 2, [1], np.zeros((2, 1)), [False] * 2) == [2, 1]


def test_swapped_names_are_swapped_back() -> None:
    known = identifier(unit(1, 0), unit(0, 1))
    names = known.assign([unit(0.2, 1), unit(1, 0.2)], [1, 2], [1, 2], np.zeros((2, 2)), [False] * 2)
    assert names == [2, 1]


def test_a_doubtful_face_keeps_its_name_and_a_stranger_gets_a_new_one() -> None:
    known = identifier(unit(1, 0))
    assert known.assign([unit(0.2, 1)], [1], [1], np.zeros((1, 1)), [False]) == [1]
    assert known.assign([unit(0.0, 1)], [1], [1], np.zeros((1, 1)), [False]) == [2]
