"""Trajectories through a grid of cells, sampled from optical flow: the same bit of surface, frame after frame.

Cong et al., FLATTEN: Optical FLow-guided ATTENtion for Consistent Text-to-Video Editing, ICLR 2024, section 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.int64]
"""Numbers of cells, row by row."""


@dataclass(frozen=True, eq=False)
class TrajectoryTable:
    """Trajectories of similar length, one in each row.

    tokens   (N, L) int64, cells as ``(frame * rows + row) * columns + column`` in the order of time, one frame after
             the other; rows that are shorter end in repetitions of their last cell.
    lengths  (N,) int64 in 2..L.
    """

    tokens: NDArray[np.int64]
    lengths: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Trajectories:
    """A partition of all cells of all frames into trajectories.

    labels  (T, rows, columns) int32: the trajectory of every cell, counted from 0. A trajectory has at most one cell
            in a frame, and its frames follow each other without a gap.
    """

    labels: NDArray[np.int32]

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Cells of each trajectory; 1 where a cell is alone."""
        return np.bincount(self.labels.ravel())

    @cached_property
    def tables(self) -> tuple[TrajectoryTable, ...]:
        """All trajectories of two cells and more, in a few tables by length.

        The widths 2, 3, 4, 6, 8, 12, 16, ... keep the padding below a third of a table.
        """
        cells, starts = self._by_trajectory()
        tables, shorter, turn = [], 1, 0
        while shorter < self.lengths.max(initial=0):
            width = (2 << turn // 2) if turn % 2 == 0 else (3 << turn // 2)
            chosen = np.flatnonzero((self.lengths > shorter) & (self.lengths <= width))
            if chosen.size:
                lengths = self.lengths[chosen]
                columns = np.minimum(np.arange(lengths.max()), lengths[:, None] - 1)
                tables.append(TrajectoryTable(cells[starts[chosen, None] + columns], lengths))
            shorter, turn = width, turn + 1
        return tuple(tables)

    def cut(self, frames: slice) -> Trajectories:
        """The same trajectories in some consecutive frames only. Raises ``ValueError`` when there are none."""
        labels = self.labels[frames]
        if not len(labels) or frames.step not in (None, 1):
            raise ValueError(f"{frames} is no run of frames out of {len(self.labels)}")
        present = np.zeros(len(self.lengths), bool)
        present[labels] = True
        return Trajectories((np.cumsum(present, dtype=np.int32) - 1)[labels])

    def _by_trajectory(self) -> tuple[Cells, Cells]:
        """All cells, trajectory after trajectory, each in the order of time; and where each trajectory starts."""
        labels = self.labels.ravel()
        frame = np.arange(len(labels)) // self.labels[0].size
        first = np.zeros(len(self.lengths), np.int64)
        first[labels[::-1]] = frame[::-1]  # of repeated indices the last, which is the earliest frame, is kept
        starts = np.cumsum(self.lengths) - self.lengths
        cells = np.empty(len(labels), np.int64)
        cells[starts[labels] + frame - first[labels]] = np.arange(len(labels))
        return cells, starts


def sample_trajectories(
    flow: NDArray[np.floating],
    grid: tuple[int, int],
    *,
    region: NDArray[np.bool_] | None = None,
    subcell: bool = False,
) -> Trajectories:
    """Trajectories through a grid of cells that covers the pictures.

    flow     (T - 1, H, W, 2) displacements (x, y) from each picture to the next, pixels, as ``perceive.OpticalFlow``
             gives them. Where it is not finite, nothing is linked.
    grid     rows and columns of cells. A cell stands for its top-left pixel, in row ``row * H / rows`` and column
             ``column * W / columns``, rounded.
    region   (T, rows, columns) cells that take part; all others are alone. None for all.
    subcell  carry what rounding to cells leaves over along the trajectory, so that motion of less than half a cell a
             frame adds up. The paper drops it.

    Cell ``(t, row, column)`` is linked to ``(t + 1, row + q_y, column + q_x)``, ``q = round(flow * grid / size)``, if
    that is inside. Where several meet in one cell, the one whose displacement was rounded least goes on (of equals the
    first, row by row) and the others end; the paper leaves it to chance. So without ``subcell`` the links between two
    frames depend on these two alone, not on where a window starts. A cell that none reaches starts a trajectory.
    Raises ``ValueError`` for arrays of other shapes.
    """
    _check(flow, grid, region)
    rows, columns = grid
    count = rows * columns
    labels = np.empty((len(flow) + 1, count), np.int32)
    labels[0], started = np.arange(count), count
    inside = np.ones((len(flow) + 1, count), bool) if region is None else region.reshape(len(flow) + 1, count)
    left_over = np.zeros((count, 2))
    for frame, picture in enumerate(flow):
        target, rounded = _follow(picture, grid, left_over)
        target[~inside[frame]] = -1
        target[(target >= 0) & ~inside[frame + 1][target]] = -1
        winner = _winners(target, (rounded**2).sum(axis=1))
        reached = winner >= 0
        labels[frame + 1, reached] = labels[frame, winner[reached]]
        fresh = count - int(reached.sum())
        labels[frame + 1, ~reached] = np.arange(started, started + fresh)
        started += fresh
        if subcell:
            left_over = np.where(reached[:, None], rounded[winner], 0)
    return Trajectories(labels.reshape(-1, rows, columns))


def _follow(
    flow: NDArray[np.floating], grid: tuple[int, int], left_over: NDArray[np.float64]
) -> tuple[Cells, NDArray[np.float64]]:
    """The cell that each cell moves to, -1 for outside, and (count, 2) x and y that rounding leaves over, in cells."""
    rows, columns = grid
    height, width = flow.shape[:2]
    scale = np.array([columns / width, rows / height])
    row, column = np.divmod(np.arange(rows * columns), columns)
    points = (np.stack([column, row], axis=1) + left_over) / scale
    x, y = np.clip(np.floor(points + 0.5).astype(np.int64), 0, (width - 1, height - 1)).T
    shift = flow[y, x] * scale + left_over
    step = np.rint(shift)
    new_column, new_row = column + step[:, 0], row + step[:, 1]
    # What is not a number fails every comparison, and so counts as outside.
    stays = (new_column >= 0) & (new_column < columns) & (new_row >= 0) & (new_row < rows)
    target = np.full(rows * columns, -1)
    target[stays] = (new_row[stays] * columns + new_column[stays]).astype(np.int64)
    return target, np.where(stays[:, None], shift, 0) - np.where(stays[:, None], step, 0)


def _winners(target: Cells, residual: NDArray[np.float64]) -> Cells:
    """For each cell the one that goes on into it, -1 for none: least residual, of equals the first."""
    source = np.flatnonzero(target >= 0)
    goal, cost = target[source], residual[source]
    least = np.full(len(target), np.inf)
    np.minimum.at(least, goal, cost)
    best = cost == least[goal]
    winner = np.full(len(target), -1)
    winner[goal[best][::-1]] = source[best][::-1]  # of repeated indices the last, which is the first source, is kept
    return winner


def _check(flow: NDArray[np.floating], grid: tuple[int, int], region: NDArray[np.bool_] | None) -> None:
    if flow.ndim != 4 or flow.shape[3] != 2 or min(flow.shape[1:]) < 1:
        raise ValueError(f"flow must be (T - 1, H, W, 2), got {flow.shape}")
    if min(grid) < 1:
        raise ValueError(f"a grid needs rows and columns, got {grid}")
    if region is not None and (region.dtype != np.bool_ or region.shape != (len(flow) + 1, *grid)):
        raise ValueError(f"region must be bool {(len(flow) + 1, *grid)}, got {region.dtype} {region.shape}")
