"""Requests as the network takes them."""

from __future__ import annotations

import numpy as np
import pytest
from support.words import BagOfWords

from faceloom.errors import RecipeError
from faceloom.methods.langbrt.prompts import PREDEFINED, TABLE, Area, Blemish, Prompt, Side
from faceloom.methods.langbrt.requests import read_requests
from faceloom.perceive.text import MiniLM


def test_prompts_once_each_in_order(encoder: MiniLM) -> None:
    asked = read_requests(["shiny nose", "zits on the right cheek", "acne on the right cheek"], encoder)
    assert asked.prompts == (Prompt(Blemish.SHINE, Area.NOSE), Prompt(Blemish.ACNE, Area.CHEEKS, Side.RIGHT))
    assert asked.names == ("shine on the nose", "acne on the right cheek")
    assert asked.groups == (("shiny nose", (0,)), ("zits on the right cheek", (1,)), ("acne on the right cheek", (1,)))
    assert asked.fixed == (None, PREDEFINED.index(asked.prompts[1]))
    assert asked.vectors.shape == (1, 384)
    np.testing.assert_allclose(np.linalg.norm(asked.vectors, axis=1), 1, atol=1e-5)


def test_all_is_the_table(encoder: MiniLM) -> None:
    asked = read_requests(["all"], encoder)
    assert asked.prompts == TABLE and asked.vectors.shape == (17, 384) and asked.remarks == ()


def test_the_network_may_take_vectors_of_another_encoder(encoder: MiniLM) -> None:
    words = BagOfWords()
    asked = read_requests(["zits on the nose"], encoder, words)
    assert asked.names == ("acne on the nose",), "which only MiniLM knows"
    np.testing.assert_array_equal(asked.vectors, words.encode(["acne on the nose"]))


def test_a_side_that_was_never_trained_is_read_without_it(encoder: MiniLM) -> None:
    asked = read_requests(["acne on the left side of the chin"], encoder)
    assert asked.prompts == (Prompt(Blemish.ACNE, Area.CHIN, Side.LEFT),), "the region knows the side"
    np.testing.assert_allclose(asked.vectors, encoder.encode(["acne on the chin"]), atol=1e-6)


def test_repetitions_are_mentioned_once(encoder: MiniLM) -> None:
    assert read_requests(["zits", "acne on the nose"], encoder).remarks == ("'acne on the nose' is part of 'zits'",)
    assert read_requests(["zits", "acne"], encoder).remarks == ("'acne' is part of 'zits'",)
    assert read_requests(["shine", "all"], encoder).remarks == ("'shine' is part of 'all'",)
    assert read_requests(["zits on the nose", "acne on the chin"], encoder).remarks == ()


@pytest.mark.parametrize(
    ("requests", "says"),
    [
        ([], "nothing was asked for"),
        (["acne", "das Muttermal auf der Nase"], "is not English"),
        (["acne", "  "], "is empty"),
        (["acne on the left and on the right cheek"], "names both sides"),
        (["acne", "keep the freckles"], "says what to keep"),
        (["dark circles on the chin"], "not looked for there"),
        (["her glasses"], "nothing that can be retouched"),
    ],
)
def test_what_is_refused(encoder: MiniLM, requests: list[str], says: str) -> None:
    with pytest.raises(RecipeError) as error:
        read_requests(requests, encoder)
    assert says in str(error.value)
