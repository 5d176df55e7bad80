from __future__ import annotations

import numpy as np
import pytest

from faceloom.geometry import partmaps
from faceloom.geometry import topology as t
from faceloom.types import Part

TABLES = {name: value for name, value in vars(t).items() if name.isupper()}


def test_tables_hold_distinct_indices_of_the_mesh() -> None:
    assert len(TABLES) > 30
    for name, indices in TABLES.items():
        assert len(set(indices)) == len(indices), name
        assert min(indices) >= 0 and max(indices) < 478, name


def test_control_points_of_each_map_are_distinct() -> None:
    controls = [partmaps._UPPER_LIP, partmaps._LOWER_LIP]
    controls += [partmaps._lid_controls(left, upper) for left in (True, False) for upper in (True, False)]
    controls += [partmaps._eyebrow_controls(part) for part in (Part.LEFT_EYEBROW, Part.RIGHT_EYEBROW)]
    for indices in controls:
        assert len(set(indices)) == len(indices)


@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("LEFT_")])
def test_left_lines_lie_at_larger_x_than_right_ones_and_pair_up(name: str, landmarks) -> None:
    left, right = TABLES[name], TABLES[name.replace("LEFT_", "RIGHT_")]
    assert len(left) == len(right)
    for points in landmarks.values():
        # Person by person the two halves mirror each other to within a small part of the face's width.
        middle = points[list(t.FACE_OVAL), 0].mean()
        width = np.ptp(points[list(t.FACE_OVAL), 0])
        mirrored = 2 * middle - points[list(right), 0]
        assert (points[list(left), 0] > points[list(right), 0]).all()
        if "IRIS" not in name:
            assert np.abs(points[list(left), 0] - mirrored).max() < 0.15 * width
        assert np.abs(points[list(left), 1] - points[list(right), 1]).max() < 0.1 * width


def test_lip_lines_run_from_the_right_corner_to_the_left_one(landmarks) -> None:
    for name in ("UPPER_LIP_OUTER", "UPPER_LIP_INNER", "LOWER_LIP_OUTER", "LOWER_LIP_INNER", "LOWER_LIP_MIDDLE"):
        for points in landmarks.values():
            assert (np.diff(points[list(TABLES[name]), 0]) > 0).all(), name


def test_lid_lines_run_from_the_outer_to_the_inner_corner(landmarks) -> None:
    for points in landmarks.values():
        assert (np.diff(points[list(t.RIGHT_UPPER_LID), 0]) > 0).all()
        assert (np.diff(points[list(t.LEFT_UPPER_LID), 0]) < 0).all()


def test_lips_lie_in_order_from_nose_to_chin(landmarks) -> None:
    middle = 5
    lines = (
        t.UPPER_LIP_SKIN, t.UPPER_LIP_OUTER, t.UPPER_LIP_MIDDLE, t.UPPER_LIP_INNER,
        t.LOWER_LIP_INNER, t.LOWER_LIP_MIDDLE, t.LOWER_LIP_OUTER, t.LOWER_LIP_SKIN,
    )  # fmt: skip
    for points in landmarks.values():
        assert (np.diff([points[line[middle], 1] for line in lines]) > 0).all()
