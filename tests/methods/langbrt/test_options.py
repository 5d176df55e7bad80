"""What can be set, and what is said about the rest."""

from __future__ import annotations

from typing import Any

import pytest

from faceloom.errors import RecipeError
from faceloom.methods.langbrt.options import MINILM, WEIGHT, read_options


def test_defaults() -> None:
    options = read_options({})
    assert (
        options.checkpoint == WEIGHT
        and options.text_encoder == MINILM
        and options.skin == "auto"
        and options.grain == 0.7
        and options.retouch == ()
    )


def test_requests_arrive() -> None:
    assert read_options({"retouch": ("acne", "shine")}).retouch == ("acne", "shine")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"grian": 1}, "no option 'grian'; did you mean 'grain'"),
        ({"levels": 1}, "there are: checkpoint, text_encoder, skin, grain, workers"),
        ({"grain": 1.5}, "option grain"),
        ({"skin": "guess"}, "option skin"),
        ({"workers": -1}, "option workers"),
        ({"checkpoint": ""}, "option checkpoint"),
        ({"text_encoder": ""}, "option text_encoder"),
    ],
)
def test_what_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match="langbrt") as error:
        read_options(values)
    assert says in str(error.value)
