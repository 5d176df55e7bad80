"""The table of prompts: complete, closed, in words that say what they mean."""

from __future__ import annotations

from faceloom.methods.langbrt.prompts import (
    AREAS,
    PREDEFINED,
    TABLE,
    USER_PROMPTS,
    Area,
    Blemish,
    Prompt,
    Side,
    phrases,
    vocabulary,
)


def test_numbers_of_the_paper() -> None:
    assert len(PREDEFINED) == 3 and len(USER_PROMPTS) == 17
    assert len(set(TABLE)) == 20 and TABLE[:3] == PREDEFINED
    assert {prompt.blemish for prompt in TABLE} == set(Blemish) - {Blemish.MOLES}
    assert all(prompt.area in AREAS[prompt.blemish] for prompt in vocabulary())
    assert len(set(vocabulary())) == len(vocabulary()) and vocabulary()[:20] == TABLE


def test_the_table_covers_everything() -> None:
    for prompt in (one for one in vocabulary() if one.blemish != Blemish.MOLES):
        for side in (Side.LEFT, Side.RIGHT) if prompt.side == Side.BOTH else (prompt.side,):
            for area in (prompt.area,) if prompt.area != Area.FACE else AREAS[prompt.blemish][1:]:
                one = Prompt(prompt.blemish, area, side)
                assert any(asked.covers(one) for asked in TABLE), one


def test_words() -> None:
    assert [prompt.text for prompt in PREDEFINED] == [
        "dark circles under the eyes", "wrinkles on the forehead", "acne on the right cheek",
    ]  # fmt: skip
    assert Prompt(Blemish.SCARS).text == "scars"
    assert Prompt(Blemish.EYE_BAGS, Area.EYES, Side.LEFT).text == "bags under the left eye"
    assert Prompt(Blemish.REDNESS, Area.NOSE, Side.LEFT).text == "redness on the left side of the nose"
    texts = [prompt.text for prompt in vocabulary()]
    assert len(set(texts)) == len(texts)


def test_phrases_begin_with_the_prompt_and_never_belong_to_two() -> None:
    seen: dict[str, Prompt] = {}
    for prompt in vocabulary():
        ways = phrases(prompt)
        assert ways[0] == prompt.text and len(ways) >= 2
        for way in ways:
            assert seen.setdefault(way, prompt) == prompt


def test_covering_and_mirroring() -> None:
    right = Prompt(Blemish.ACNE, Area.CHEEKS, Side.RIGHT)
    assert right.mirrored() == Prompt(Blemish.ACNE, Area.CHEEKS, Side.LEFT)
    assert Prompt(Blemish.ACNE).covers(right) and Prompt(Blemish.ACNE, Area.CHEEKS).covers(right)
    assert not right.covers(right.mirrored()) and not right.covers(Prompt(Blemish.ACNE, Area.CHEEKS))
    assert not Prompt(Blemish.SPOTS).covers(right) and not Prompt(Blemish.ACNE, Area.NOSE).covers(right)
