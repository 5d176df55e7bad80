from __future__ import annotations

import pytest
from support.scores import fabricated_results, row

from faceloom.evaluate.metrics.registry import METRICS
from faceloom.evaluate.report.data import fair
from faceloom.evaluate.report.tables import clip_table, column, macro_mean, mean, method_table, number, part_mean
from faceloom.types import Attribute

EYES, MOUTH = Attribute.EYES, Attribute.MOUTH
LOWER, HIGHER = METRICS["e_warp"], METRICS["identity_outside"]


def test_every_part_counts_alike_however_many_items_it_has() -> None:
    rows = [
        row("a", MOUTH, 1, e_warp=1.0),
        row("a", MOUTH, 2, e_warp=2.0),
        row("a", MOUTH, 3, e_warp=6.0),
        row("a", EYES, 1, e_warp=11.0),
    ]
    assert part_mean(rows, "a", MOUTH, "e_warp") == 3.0
    assert macro_mean(rows, "a", (MOUTH, EYES), "e_warp") == 7.0  # (3 + 11) / 2, not 20 / 4


def test_items_without_a_number_are_left_out_and_parts_without_one_leave_no_average() -> None:
    rows = [row("a", MOUTH, 1, e_warp=1.0), row("a", MOUTH, 2, e_warp=None), row("a", EYES, 1, e_warp=None)]
    assert part_mean(rows, "a", MOUTH, "e_warp") == 1.0
    assert macro_mean(rows, "a", (MOUTH, EYES), "e_warp") is None
    assert mean([None, float("nan")]) is None


def test_the_best_is_first_and_the_next_second() -> None:
    ranks = [cell.rank for cell in column([3.0, 1.0, 2.0, None], LOWER, None)]
    assert ranks == [0, 1, 2, 0]
    ranks = [cell.rank for cell in column([3.0, 1.0, 2.0, None], HIGHER, None)]
    assert ranks == [1, 0, 2, 0]


def test_values_that_look_alike_share_a_rank() -> None:
    cells = column([1.00001, 1.00002, 2.0], LOWER, None)
    assert [cell.text for cell in cells] == ["1.000", "1.000", "2.000"]
    assert [cell.rank for cell in cells] == [1, 1, 2]


def test_nobody_is_best_alone_or_where_all_are_alike() -> None:
    assert column([1.0], LOWER, None)[0].rank == 0
    assert [cell.rank for cell in column([1.0, 1.0], LOWER, None)] == [0, 0]


def test_an_absent_metric_says_what_it_needs() -> None:
    cells = column([None, None], HIGHER, "n/a (needs arcface)")
    assert [cell.text for cell in cells] == ["n/a (needs arcface)"] * 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(9.1432, "9.143"), (123.456, "123.5"), (0.0261, "0.02610"), (0.0, "0"), (None, "–"), (12345.6, "12346"),
     (-0.5, "-0.5000"), (float("nan"), "–"), (1e-7, "1.000e-07"), (9.99999, "10.000")],
)  # fmt: skip
def test_numbers_have_four_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_pairs_that_one_method_lacks_count_for_nobody() -> None:
    rows = [row("a", MOUTH, 1, e_warp=1.0), row("b", MOUTH, 1, e_warp=1.0), row("a", MOUTH, 2, e_warp=9.0)]
    assert fair(rows, ["a", "b"], {}) == rows[:2]


def test_a_part_that_a_method_cannot_take_is_fair_without_it() -> None:
    rows = [row("a", MOUTH, 1, e_warp=1.0), row("b", MOUTH, 1, e_warp=1.0), row("a", EYES, 1, e_warp=9.0)]
    assert fair(rows, ["a", "b"], {"b": (EYES,)}) == rows


def test_the_average_is_over_the_parts_that_all_methods_take() -> None:
    results = fabricated_results(unsupported={"b": (EYES,)})
    assert results.common_parts == [MOUTH]
    table = method_table(results, "", [LOWER], None)
    assert [(name, cells[0].text) for name, cells in table.rows] == [("a", "2.000"), ("b", "4.000")]
    assert [name for name, _ in method_table(results, "", [LOWER], EYES).rows] == ["a"]


def test_tables_of_the_fabricated_run_by_hand() -> None:
    results = fabricated_results()
    # a: mouth (1 + 3) / 2 = 2, eyes 6 -> 4; b: mouth (3 + 5) / 2 = 4, eyes 2 -> 3
    table = method_table(results, "", [LOWER, HIGHER], None)
    assert table.heads == ["E_warp (10^-3) ↓", "SFace (outside) ↑"]
    assert [(name, [(cell.text, cell.rank) for cell in cells]) for name, cells in table.rows] == [
        ("a", [("4.000", 2), ("0.8500", 1)]),
        ("b", [("3.000", 1), ("0.7500", 2)]),
    ]
    clip = clip_table(results, "t001", [LOWER])
    assert [(name, cells[0].text, cells[0].rank) for name, cells in clip.rows] == [
        ("eyes: a", "6.000", 2),
        ("eyes: b", "2.000", 1),
        ("mouth: a", "1.000", 1),
        ("mouth: b", "3.000", 2),
    ]
