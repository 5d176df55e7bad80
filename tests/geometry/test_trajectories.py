from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from faceloom.geometry.trajectories import Trajectories, sample_trajectories

GOLDEN = Path(__file__).parents[1] / "data" / "nets" / "flatten.npz"
"""Trajectories of the published implementation on one flow, see ``nets/test_flow_attention.py``."""


def constant(frames: int, size: tuple[int, int], x: float, y: float) -> np.ndarray:
    return np.full((frames - 1, *size, 2), (x, y), np.float32)


flows = st.tuples(st.integers(0, 6), st.integers(1, 24), st.integers(1, 24)).flatmap(
    lambda shape: arrays.arrays(
        np.float32, (*shape, 2), elements=st.floats(-30, 30, width=32) | st.sampled_from([np.nan, np.inf, -np.inf])
    )
)
grids = st.tuples(st.integers(1, 9), st.integers(1, 9))


def links(labels: np.ndarray, frame: int) -> dict[int, int]:
    """Cell of ``frame`` to cell of the next."""
    here, there = labels[frame].ravel(), labels[frame + 1].ravel()
    cell_of = {label: cell for cell, label in enumerate(there.tolist())}
    return {cell: cell_of[label] for cell, label in enumerate(here.tolist()) if label in cell_of}


@settings(max_examples=80)
@given(flows, grids, st.booleans(), st.integers(0, 3))
def test_every_cell_is_in_exactly_one_trajectory(flow, grid, subcell, seed) -> None:
    region = None if seed == 0 else np.random.default_rng(seed).random((len(flow) + 1, *grid)) < 0.7
    trajectories = sample_trajectories(flow, grid, region=region, subcell=subcell)
    assert trajectories.labels.shape == (len(flow) + 1, *grid)
    assert trajectories.lengths.sum() == trajectories.labels.size and trajectories.lengths.min() >= 1
    count, seen = grid[0] * grid[1], []
    for table in trajectories.tables:
        assert table.lengths.min() >= 2 and table.lengths.max() == table.tokens.shape[1]
        for tokens, length in zip(table.tokens, table.lengths, strict=True):
            assert (np.diff(tokens[:length] // count) == 1).all()
            assert (tokens[length:] == tokens[length - 1]).all()
            assert np.unique(trajectories.labels.ravel()[tokens]).size == 1
            seen.extend(tokens[:length].tolist())
    alone = np.flatnonzero(trajectories.lengths[trajectories.labels.ravel()] == 1).tolist()
    assert sorted(seen + alone) == list(range(trajectories.labels.size))
    if region is not None:
        assert region.ravel()[seen].all()


@pytest.mark.parametrize("subcell", [False, True])
@given(st.integers(1, 9), grids, st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_without_motion_every_trajectory_lasts(subcell, frames, grid, size) -> None:
    trajectories = sample_trajectories(constant(frames, size, 0, 0), grid, subcell=subcell)
    np.testing.assert_array_equal(trajectories.labels, np.arange(grid[0] * grid[1]).reshape(1, *grid).repeat(frames, 0))


@given(st.integers(2, 8), st.integers(2, 9), st.integers(2, 9), st.integers(-4, 4), st.integers(-4, 4))
def test_a_constant_shift_in_closed_form(frames, rows, columns, right, down) -> None:
    """Cells of 8 x 4 pixels: cell (t, r, c) came from (0, r - t down, c - t right), or from where it entered."""
    flow = constant(frames, (4 * rows, 8 * columns), 8 * right + 1.5, 4 * down - 0.9)
    labels = sample_trajectories(flow, (rows, columns)).labels
    t, r, c = np.indices(labels.shape)
    steps = t.copy()
    for place, shift, size in ((r, down, rows), (c, right, columns)):
        if shift:
            steps = np.minimum(steps, (place if shift > 0 else size - 1 - place) // abs(shift))
    origin = ((t - steps) * rows + r - steps * down) * columns + c - steps * right
    _, first = np.unique(labels, return_index=True)
    np.testing.assert_array_equal(first[labels], origin)


def test_by_hand() -> None:
    """2 x 3 cells of 10 pixels. Both cells of the first column move right; of two that meet, the closer one goes on."""
    flow = np.zeros((1, 20, 30, 2), np.float32)
    flow[0, 0, 0] = (12, 0)  # meets the cell that rests: that one was rounded least
    flow[0, 10, 0] = (9, 0)
    flow[0, 10, 10] = (2, 0)  # rests, but is further from its cell than the one that comes
    flow[0, 10, 20] = (6, 0)  # leaves the picture
    labels = sample_trajectories(flow, (2, 3)).labels
    np.testing.assert_array_equal(labels, [[[0, 1, 2], [3, 4, 5]], [[6, 1, 2], [7, 3, 8]]])


def test_of_equals_the_first_goes_on() -> None:
    flow = np.zeros((1, 1, 3, 2), np.float32)
    flow[0, 0, :, 0] = (1, 0, -1)
    np.testing.assert_array_equal(sample_trajectories(flow, (1, 3)).labels, [[[0, 1, 2]], [[3, 0, 4]]])


def test_small_motion_adds_up_only_when_carried() -> None:
    flow = constant(11, (64, 64), 3, 0)  # 30 pixels in all, of cells of 16 pixels
    rests = sample_trajectories(flow, (4, 4)).labels
    carried = sample_trajectories(flow, (4, 4), subcell=True).labels
    np.testing.assert_array_equal(rests[0], rests[10])
    np.testing.assert_array_equal(carried[0][:, :2], carried[10][:, 2:])


def test_carried_points_read_the_flow_where_they_are() -> None:
    """A point that moved 6 of the 16 pixels of its cell meets the motion there, not that of the cell's corner."""
    flow = np.zeros((2, 16, 64, 2), np.float32)
    flow[0, 0, 0] = (6, 0)
    flow[1, 0, 6] = (20, 0)  # 26 pixels in all: nearest to the cell that starts at 32
    flow[1, 0, 32] = (100, 0)  # whose own point leaves
    carried = sample_trajectories(flow, (1, 4), subcell=True).labels
    assert carried[0, 0, 0] == carried[1, 0, 0] == carried[2, 0, 2]


def test_winners_do_not_depend_on_the_window() -> None:
    flow = np.random.default_rng(0).normal(0, 5, (11, 64, 64, 2)).astype(np.float32)
    whole = sample_trajectories(flow, (16, 16))
    for first, last in ((0, 6), (3, 12), (7, 8)):
        window = sample_trajectories(flow[first : last - 1], (16, 16))
        cut = whole.cut(slice(first, last))
        for frame in range(last - first - 1):
            assert links(window.labels, frame) == links(cut.labels, frame) == links(whole.labels, first + frame)
        np.testing.assert_array_equal(np.unique(cut.labels), np.arange(len(cut.lengths)))
        assert cut.lengths.sum() == cut.labels.size


def test_region() -> None:
    """A hole breaks what passes through it, and nothing outside the region competes."""
    region = np.ones((4, 3, 3), bool)
    region[2, 1, 1] = False
    labels = sample_trajectories(constant(4, (3, 3), 0, 0), (3, 3), region=region).labels
    centre = labels[:, 1, 1]
    assert centre[0] == centre[1] and len(set(centre[1:].tolist())) == 3
    assert (labels[:, 0] == labels[:1, 0]).all()
    flow = np.zeros((1, 1, 2, 2), np.float32)
    flow[0, 0, 0, 0] = 1
    flow[0, 0, 1, 0] = 0.2
    first_alone = np.array([[[True, False]], [[True, True]]])
    assert sample_trajectories(flow, (1, 2)).labels[1, 0, 1] == 0
    assert sample_trajectories(flow, (1, 2), region=~first_alone | (np.arange(2) > 0)).labels[1, 0, 1] == 1
    assert sample_trajectories(flow, (1, 2), region=first_alone).labels[1, 0, 1] == 0


@pytest.mark.parametrize("cells", [64, 32, 16, 8])
def test_links_equal_the_published_implementation(cells: int) -> None:
    """Where a single cell arrives the link is the same; where several do, each side lets exactly one go on."""
    with np.load(GOLDEN) as golden:
        theirs = golden[f"labels{cells}"]
        flow = golden["flow"].transpose(0, 2, 3, 1) / 8  # a 512 pixel flow sampled at every eighth pixel
    ours = sample_trajectories(flow, (cells, cells)).labels
    conflicts = 0
    for frame in range(len(flow)):
        mine, other = links(ours, frame), links(theirs, frame)
        assert sorted(mine.values()) == sorted(other.values())
        mine_of, other_of = ({goal: source for source, goal in found.items()} for found in (mine, other))
        differing = {goal for goal in mine_of if mine_of[goal] != other_of[goal]}
        steps = np.rint(flow[frame, :: 64 // cells, :: 64 // cells] * cells / 64).astype(int)
        row, column = np.indices((cells, cells))
        goals = (row + steps[..., 1]) * cells + column + steps[..., 0]
        inside = (row + steps[..., 1]).clip(0, cells - 1) == row + steps[..., 1]
        inside &= (column + steps[..., 0]).clip(0, cells - 1) == column + steps[..., 0]
        arrivals = np.bincount(goals[inside], minlength=cells * cells)
        assert set(np.flatnonzero(arrivals).tolist()) == set(mine_of)
        assert all(arrivals[goal] > 1 for goal in differing)
        conflicts += int((arrivals > 1).sum())
    assert ours.max() == theirs.max() and conflicts > 0


def test_a_lone_frame_has_no_tables() -> None:
    trajectories = sample_trajectories(np.zeros((0, 8, 8, 2), np.float32), (2, 2))
    assert trajectories.labels.shape == (1, 2, 2) and trajectories.tables == ()


def test_padding_stays_small() -> None:
    labels, lengths = [], np.arange(1, 100)
    for label, length in enumerate(lengths):
        column = np.full(99, -1)
        column[:length] = label
        labels.append(column)
    grid = np.stack(labels, axis=1)
    grid[grid < 0] = np.arange((grid < 0).sum()) + len(lengths)
    tables = Trajectories(grid[:, None].astype(np.int32)).tables
    assert len(tables) <= 13
    for table in tables:
        assert table.lengths.min() > 0.66 * table.tokens.shape[1]


@pytest.mark.parametrize(
    ("flow", "grid", "region", "message"),
    [
        (np.zeros((3, 8, 8)), (2, 2), None, "flow must be"),
        (np.zeros((3, 8, 8, 3)), (2, 2), None, "flow must be"),
        (np.zeros((3, 8, 8, 2)), (0, 2), None, "rows and columns"),
        (np.zeros((3, 8, 8, 2)), (2, 2), np.ones((3, 2, 2), bool), "region must be bool"),
        (np.zeros((3, 8, 8, 2)), (2, 2), np.ones((4, 2, 2)), "region must be bool"),
    ],
)
def test_wrong_shapes_are_refused(flow, grid, region, message) -> None:
    with pytest.raises(ValueError, match=message):
        sample_trajectories(flow, grid, region=region)


@pytest.mark.parametrize("frames", [slice(2, 2), slice(5, 9), slice(0, 3, 2)])
def test_cuts_need_a_run_of_frames(frames: slice) -> None:
    with pytest.raises(ValueError, match="no run of frames"):
        sample_trajectories(constant(4, (8, 8), 0, 0), (2, 2)).cut(frames)
