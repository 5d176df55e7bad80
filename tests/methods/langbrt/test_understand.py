"""Requests in people's own words."""

from __future__ import annotations

import pytest

from faceloom.errors import RecipeError
from faceloom.methods.langbrt.prompts import TABLE, Area, Blemish, Prompt, Side
from faceloom.methods.langbrt.understand import PromptReader, contradictions
from faceloom.perceive.text import MiniLM
from faceloom.weights import Store


@pytest.fixture(scope="module")
def reader() -> PromptReader:
    pytest.importorskip("tokenizers")
    store = Store()
    store.ensure(MiniLM.weights)
    return PromptReader(MiniLM(store))


RIGHT_CHEEK = Prompt(Blemish.ACNE, Area.CHEEKS, Side.RIGHT)
EYES = Prompt(Blemish.DARK_CIRCLES, Area.EYES)


@pytest.mark.parametrize(
    ("words", "prompt"),
    [
        ("acne on the right cheek", RIGHT_CHEEK),
        ("Please remove the PIMPLES on her right cheek!", RIGHT_CHEEK),
        ("zits", Prompt(Blemish.ACNE)),
        ("remove my moles", Prompt(Blemish.MOLES)),
        ("the mole on her left cheek", Prompt(Blemish.MOLES, Area.CHEEKS, Side.LEFT)),
        ("beauty mark", Prompt(Blemish.MOLES)),
        ("blackheads on nose", Prompt(Blemish.ACNE, Area.NOSE)),
        ("pimple on right side of the forehead", Prompt(Blemish.ACNE, Area.FOREHEAD, Side.RIGHT)),
        ("dark circles under the eyes", EYES),
        ("dark circles", EYES),
        ("panda eyes", EYES),
        ("forehead wrinkles", Prompt(Blemish.WRINKLES, Area.FOREHEAD)),
        ("wrinkly forehead", Prompt(Blemish.WRINKLES, Area.FOREHEAD)),
        ("crows feet", Prompt(Blemish.WRINKLES, Area.EYES)),
        ("crow’s feet", Prompt(Blemish.WRINKLES, Area.EYES)),
        ("laugh lines", Prompt(Blemish.WRINKLES, Area.MOUTH)),
        ("lines under the left eye", Prompt(Blemish.WRINKLES, Area.EYES, Side.LEFT)),
        ("remove the bags below his eyes", Prompt(Blemish.EYE_BAGS, Area.EYES)),
        ("puffiness", Prompt(Blemish.EYE_BAGS, Area.EYES)),
        ("chicken pox marks", Prompt(Blemish.SCARS)),
        ("sun damage", Prompt(Blemish.SPOTS)),
        ("rosacea", Prompt(Blemish.REDNESS)),
        ("blotchy cheeks", Prompt(Blemish.REDNESS, Area.CHEEKS)),
        ("red nose", Prompt(Blemish.REDNESS, Area.NOSE)),
        ("greasy forehead", Prompt(Blemish.SHINE, Area.FOREHEAD)),
        ("shiny nose", Prompt(Blemish.SHINE, Area.NOSE)),
    ],
)
def test_one_place(reader: PromptReader, words: str, prompt: Prompt) -> None:
    assert reader.read(words) == (prompt,)


def test_every_prompt_of_the_table_is_understood(reader: PromptReader) -> None:
    for prompt in TABLE:
        assert reader.read(prompt.text) == (prompt,)


def test_several_places_each_with_its_side(reader: PromptReader) -> None:
    found = set(reader.read("redness around the nose and on the left cheek"))
    assert found == {Prompt(Blemish.REDNESS, Area.NOSE), Prompt(Blemish.REDNESS, Area.CHEEKS, Side.LEFT)}


@pytest.mark.parametrize("words", ["all", "ALL", " everything ", "all imperfections"])
def test_everything(reader: PromptReader, words: str) -> None:
    assert reader.read(words) == TABLE


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "is empty"),
        ("  ?! ", "is empty"),
        ("12", "is empty"),
        ("a red sports car", "nothing that can be retouched"),
        ("make her smile", "nothing that can be retouched"),
        ("beard", "nothing that can be retouched"),
        ("glasses", "nothing that can be retouched"),
        ("Augenringe", "English words are understood"),
        ("acné en la mejilla derecha", "is not English"),
        ("acne en la mejilla derecha", "is not English"),
        ("ニキビ", "is not English"),
        ("keep the freckles", "says what to keep"),
        ("everything but the scars", "says what to keep"),
        ("acne on the left right cheek", "names both sides"),
        ("dark circles on the chin", "not looked for there, only on eyes"),
        ("wrinkles on the nose", "not looked for there"),
    ],
)
def test_requests_that_mean_nothing_here(reader: PromptReader, words: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        reader.read(words)


def test_the_message_names_the_nearest(reader: PromptReader) -> None:
    with pytest.raises(RecipeError) as caught:
        reader.read("remove my glasses")
    nearest = reader.nearest("remove my glasses")
    assert len(nearest) == 3 and all(f"'{prompt.text}'" in str(caught.value) for prompt in nearest)
    assert any(prompt.area == Area.EYES for prompt in nearest)


def test_contradictions() -> None:
    assert contradictions([RIGHT_CHEEK, EYES]) == []
    assert contradictions([Prompt(Blemish.ACNE), RIGHT_CHEEK, RIGHT_CHEEK]) == [
        "'acne' covers 'acne on the right cheek'"
    ]
