from __future__ import annotations

from typing import Any

import pytest

from faceloom.errors import RecipeError
from faceloom.methods.vpartswap.options import Options, read_blocks, read_options, settle


def test_nothing_given_is_the_default() -> None:
    assert read_options({}) == Options()


def test_values_are_read() -> None:
    options = read_options({"tps": False, "stochastic": "off", "inject": "3-8", "batch": 2, "band": 0.2})
    assert (options.tps, options.stochastic, options.inject, options.batch, options.band) == (
        False,
        "off",
        "3-8",
        2,
        0.2,
    )


def test_text_as_the_command_line_gives_it_is_read() -> None:
    options = read_options({"tps": "false", "batch": "4", "depth": "0.5"})
    assert (options.tps, options.batch, options.depth) == (False, 4, 0.5)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("steps_inwert", "did you mean 'steps_invert'"), ("zzz", "there are: checkpoint, steps_invert")],
)
def test_unknown_option(name: str, hint: str) -> None:
    with pytest.raises(RecipeError, match=rf"'vpartswap' has no option '{name}'.*{hint}"):
        read_options({name: 1})


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"steps_render": 0}, "steps_render"),
        ({"steps_invert": "many"}, "steps_invert"),
        ({"depth": 0}, "depth"),
        ({"depth": 1.5}, "depth"),
        ({"band": 0}, "band"),
        ({"batch": 0}, "batch"),
        ({"attention": "lucas"}, "attention"),
        ({"stochastic": "everywhere"}, "stochastic"),
        ({"precision": "int8"}, "precision"),
        ({"checkpoint": ""}, "checkpoint"),
    ],
)
def test_values_that_mean_nothing(given: dict[str, Any], named: str) -> None:
    with pytest.raises(RecipeError, match=f"'vpartswap': option {named}: "):
        read_options(given)


@pytest.mark.parametrize("given", ["steps_invert", "steps_render"])
def test_exact_inversion_takes_one_count_for_both(given: str) -> None:
    options = read_options({given: 50, "inversion": "exact"})
    assert (options.steps_invert, options.steps_render) == (50, 50)


def test_exact_inversion_with_two_counts_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"100 and 50.*inversion=ddim"):
        read_options({"steps_invert": 100, "steps_render": 50, "inversion": "exact"})
    same = read_options({"steps_invert": 50, "steps_render": 50, "inversion": "exact"})
    assert same.steps_invert == same.steps_render == 50


def test_official_inversion_may_take_another_count() -> None:
    options = read_options({"steps_invert": 250, "steps_render": 100, "inversion": "ddim"})
    assert (options.steps_invert, options.steps_render) == (250, 100)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [("all", range(5)), ("off", range(0)), ("0-0", range(1)), ("1-3", range(1, 4)), ("0-4", range(5))],
)
def test_blocks(text: str, blocks: range) -> None:
    assert read_blocks(text, 5) == blocks


@pytest.mark.parametrize("text", ["1-5", "3-1", "3", "a-b", "-1", "1-", "1-2-3", "", " 1-2"])
def test_blocks_that_are_none(text: str) -> None:
    with pytest.raises(RecipeError, match=r"option inject: .*the last block is 4"):
        read_blocks(text, 5)


@pytest.mark.parametrize("text", ["3-1", "some"])
def test_blocks_are_looked_at_before_a_network_is_there(text: str) -> None:
    with pytest.raises(RecipeError, match="option inject"):
        read_options({"inject": text})


def test_what_is_left_open_is_what_the_checkpoint_recommends_else_the_papers() -> None:
    paper = settle(Options(), {})
    assert (paper.depth, paper.stochastic) == (1.0, "band")
    weak = settle(Options(stochastic="region"), {"depth": 0.5, "stochastic": "off"})
    assert (weak.depth, weak.stochastic) == (0.5, "region")


def test_a_recommendation_changes_nothing_that_has_a_default() -> None:
    assert settle(Options(tps=True), {"tps": False, "unheard_of": 1}).tps is True
