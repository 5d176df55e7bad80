from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceloom.errors import RecipeError
from faceloom.run.recipe import build_recipe, parse_attribute, parse_face, parse_take, read_recipe
from faceloom.types import Attribute, Recipe

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
KEYS = st.sampled_from(
    ["take", "method", "strength", "face", "reference_face", "seed", "options", "retouch"]
) | st.text(max_size=12)
TAKES = st.dictionaries(st.sampled_from([a.value for a in Attribute]) | st.text(max_size=9), PLAIN, max_size=4)


def test_all_keys(tmp_path: Path) -> None:
    file = tmp_path / "edit.toml"
    file.write_text(
        'method = "multiband"\nstrength = 0.5\nface = 3\nreference_face = 2\nseed = 7\n'
        '[take]\nmouth = "a.jpg"\n"left eye" = "sub/b.jpg"\n[options]\nlevels = 4\n'
    )
    assert read_recipe(file) == Recipe(
        take={Attribute.MOUTH: tmp_path / "a.jpg", Attribute.LEFT_EYE: tmp_path / "sub" / "b.jpg"},
        method="multiband",
        strength=0.5,
        face="3",
        reference_face=2,
        seed=7,
        options={"levels": 4},
    )


def test_defaults_are_those_of_the_type() -> None:
    assert build_recipe({"take": {"nose": "a.jpg"}}) == Recipe(take={Attribute.NOSE: Path("a.jpg")})


def test_auto_is_the_same_as_no_method(tmp_path: Path) -> None:
    file = tmp_path / "edit.toml"
    file.write_text('method = "auto"\n[take]\nnose = "a.jpg"\n')
    assert read_recipe(file).method is None
    assert build_recipe({"take": {"nose": "a.jpg"}, "method": "auto"}) == build_recipe({"take": {"nose": "a.jpg"}})


@pytest.mark.parametrize("said", ['"acne"', '["acne"]'])
def test_retouching(tmp_path: Path, said: str) -> None:
    file = tmp_path / "edit.toml"
    file.write_text(f"retouch = {said}\nstrength = 0.5\n")
    assert read_recipe(file) == Recipe(take={}, strength=0.5, retouch=("acne",))
    both = build_recipe({"retouch": ["acne on the nose", "shine"]})
    assert both.retouch == ("acne on the nose", "shine") and not both.take


def test_absolute_paths_stay(tmp_path: Path) -> None:
    recipe = build_recipe({"take": {"nose": str(tmp_path / "a.jpg")}}, folder=Path("elsewhere"))
    assert recipe.take[Attribute.NOSE] == tmp_path / "a.jpg"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "takes nothing"),
        ({"take": {}}, "takes nothing"),
        ({"take": {"mouth": "a"}, "retouch": "acne"}, "takes mouth and retouches; an edit does one of the two"),
        ({"retouch": ["acne", " "]}, "an empty retouch request"),
        ({"retouch": ""}, "an empty retouch request"),
        ({"retouch": 3}, "retouch"),
        ({"take": {"mouth": "a"}, "strenght": 1}, "unknown key 'strenght'; did you mean 'strength'"),
        ({"take": {"mouth": "a"}, "qqq": 1}, "unknown key 'qqq'; known are take, method"),
        ({"take": {"mouth": 3}}, "take.mouth"),
        ({"take": {"mouth": "a"}, "strength": 1.5}, "strength"),
        ({"take": {"mouth": "a"}, "strength": float("nan")}, "strength"),
        ({"take": {"mouth": "a"}, "strength": "0.5"}, "strength"),
        ({"take": {"mouth": "a"}, "seed": -1}, "seed"),
        ({"take": {"mouth": "a"}, "reference_face": 0}, "reference_face"),
        ({"take": {"mouth": "a"}, "face": "-2"}, "must be largest, all, or a track id"),
        ({"take": {"nos": "a"}}, "unknown part or attribute 'nos'; did you mean 'nose'"),
        ({"take": {"eyes": "a", "right_eye": "b"}}, "takes right eye twice"),
    ],
)
def test_what_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as error:
        build_recipe(values, where="recipe r.toml")
    assert message in str(error.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[take", b"take = 1", b""])
def test_broken_files_are_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "r.toml"
    file.write_bytes(content)
    with pytest.raises(RecipeError, match=r"r\.toml"):
        read_recipe(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="check the path"):
        read_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize("word", ["left_eye", "Left Eye", " LEFT-EYE "])
def test_attributes_are_read_kindly(word: str) -> None:
    assert parse_attribute(word) is Attribute.LEFT_EYE


def test_take_keeps_what_follows_the_first_equals_sign() -> None:
    assert parse_take("mouth = a=b.jpg") == ("mouth", "a=b.jpg")


@given(st.text())
def test_any_text_as_take(text: str) -> None:
    try:
        name, path = parse_take(text)
    except RecipeError:
        return
    assert name and path and "=" not in name


@given(st.text())
def test_any_text_as_face(text: str) -> None:
    try:
        face = parse_face(text)
    except RecipeError:
        return
    assert face in ("largest", "all") or int(face) > 0


@given(st.dictionaries(KEYS, VALUES, max_size=4) | st.fixed_dictionaries({"take": TAKES, "strength": VALUES}))
def test_any_values(values: dict[str, Any]) -> None:
    try:
        recipe = build_recipe(values)
    except RecipeError:
        return
    assert recipe.take and 0 <= recipe.strength <= 1


@given(st.text(max_size=200) | st.builds("{} = {}\n[take]\nmouth = {}".format, KEYS, VALUES, VALUES))
def test_any_file(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        recipe = read_recipe(file)
    except RecipeError as error:
        assert "any.toml" in str(error) or "attribute" in str(error) or "--face" in str(error)
        return
    assert tomllib.loads(text)["take"] and recipe.take
