"""Dynamic Training Sample Selection: equations 1 and 2."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from faceloom.train.unifacegan.recipe import SamplingSection
from faceloom.train.unifacegan.sampling import Choice, choose

PAIRS = [4, 7, 5, 6, 3]
EVERY = range(len(PAIRS))


def chosen(
    how: SamplingSection, count: int = 400, pool: object = EVERY, appearance: tuple[int, int] = (1, 2)
) -> list[Choice]:
    numbers = np.random.default_rng(0)
    return [choose(appearance, PAIRS, list(pool), how, numbers) for _ in range(count)]  # type: ignore[call-overload]


@pytest.mark.parametrize("sigma", [0.0, 0.2, 0.5, 1.0])
def test_sigma_is_the_share_within_a_clip(sigma: float) -> None:
    share = np.mean([choice.intra for choice in chosen(SamplingSection(intra=sigma))])
    assert share == pytest.approx(sigma, abs=0.06 if 0 < sigma < 1 else 0)


def test_equation_1() -> None:
    choices = chosen(SamplingSection(intra=1.0, truth="identity"))
    for choice in choices:
        assert choice.appearance == (1, 2) and choice.identity[0] == choice.expression[0] == 1
    # Every frame of the clip, independently.
    assert {choice.identity[1] for choice in choices} == set(range(7)) == {choice.expression[1] for choice in choices}
    assert len({(choice.identity, choice.expression) for choice in choices}) > 40


def test_the_truth_is_a_picture_that_exists() -> None:
    assert all(choice.expression == choice.appearance for choice in chosen(SamplingSection(intra=1.0)))


def test_equation_2() -> None:
    choices = chosen(SamplingSection(intra=0.0))
    for choice in choices:
        clips = {choice.appearance[0], choice.identity[0], choice.expression[0]}
        assert len(clips) == 3, "three different videos"
        assert not choice.intra and not choice.hint_of_identity
        for clip, pair in (choice.identity, choice.expression):
            assert 0 <= pair < PAIRS[clip]
    assert {choice.identity[0] for choice in choices} == {0, 2, 3, 4} == {choice.expression[0] for choice in choices}


def test_few_clips() -> None:
    how = SamplingSection(intra=0.0)
    assert all(choice.intra for choice in chosen(how, 5, pool=[1]))
    for choice in chosen(how, 20, pool=[1, 3]):
        assert choice.identity[0] == 3 and choice.expression[0] == 1 and not choice.intra


def test_hints() -> None:
    def share(hint: str) -> float:
        how = SamplingSection.model_validate({"intra": 1.0, "hint": hint})
        return float(np.mean([choice.hint_of_identity for choice in chosen(how)]))

    assert share("identity") == 1 and share("appearance") == 0 and share("both") == pytest.approx(0.5, abs=0.06)


def test_chance_alone_decides() -> None:
    how = SamplingSection()
    assert [astuple(choice) for choice in chosen(how, 20)] == [astuple(choice) for choice in chosen(how, 20)]
