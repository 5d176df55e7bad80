from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.fixtures import References
from support.footage import Picture

from faceloom.errors import FaceError, MediaError
from faceloom.perceive import Perception, perceive_image
from faceloom.run.sources import check_source, head_yaw, load_sources
from faceloom.types import Attribute, Recipe, Source
from faceloom.weights import Store


@pytest.fixture(scope="module")
def perception(store: Store) -> Perception:
    return Perception(store)


def sources_of(perception: Perception, path: Path, *attributes: Attribute, face: int | None = None):  # type: ignore[no-untyped-def]
    recipe = Recipe(take=dict.fromkeys(attributes or (Attribute.MOUTH,), path), reference_face=face)
    return load_sources(recipe, perception)


@pytest.mark.parametrize("person", [f"person_0{number}" for number in range(1, 9)])
@pytest.mark.parametrize("attribute", [Attribute.MOUTH, Attribute.EYES, Attribute.NOSE, Attribute.EYEBROWS])
def test_good_portraits_raise_no_warning(
    perception: Perception, portraits: dict[str, Picture], person: str, attribute: Attribute
) -> None:
    (face,) = perceive_image(portraits[person], perception)
    assert check_source(attribute, Source(Path("x.jpg"), portraits[person], face)) == []


def test_one_picture_for_two_attributes_is_perceived_once(perception: Perception, references: References) -> None:
    sources, warnings = sources_of(perception, references.mouth, Attribute.MOUTH, Attribute.NOSE)
    assert sources[Attribute.MOUTH] is sources[Attribute.NOSE]
    assert warnings == []


def test_several_faces(perception: Perception, references: References) -> None:
    sources, (warning,) = sources_of(perception, references.group, Attribute.MOUTH, Attribute.NOSE)
    assert "2 faces" in warning and "number 2 from the left" in warning
    assert sources[Attribute.MOUTH].face.box.left > 256


@pytest.mark.parametrize(("number", "left"), [(1, True), (2, False)])
def test_a_face_by_number(perception: Perception, references: References, number: int, left: bool) -> None:
    sources, warnings = sources_of(perception, references.group, face=number)
    assert (sources[Attribute.MOUTH].face.box.right < 256) is left
    assert not [warning for warning in warnings if "faces in this reference" in warning]


def test_a_number_too_high(perception: Perception, references: References) -> None:
    with pytest.raises(FaceError, match="only 2 were found"):
        sources_of(perception, references.group, face=3)


def test_nobody(perception: Perception, references: References) -> None:
    with pytest.raises(FaceError, match=r"landscape\.png: no face was found"):
        sources_of(perception, references.nobody)


def test_a_missing_file(perception: Perception, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        sources_of(perception, tmp_path / "none.png")


@pytest.mark.parametrize(
    ("name", "attribute", "says"),
    [
        ("shut", Attribute.LEFT_EYE, "the left eye is shut"),
        ("shut", Attribute.EYES, "the left eye and right eye is shut"),
        ("covered", Attribute.MOUTH, "the lips look covered"),
        ("profile", Attribute.NOSE, "the head is turned by"),
    ],
)
def test_what_will_not_work_well(
    perception: Perception, references: References, name: str, attribute: Attribute, says: str
) -> None:
    path = getattr(references, name)
    _, warnings = sources_of(perception, path, attribute)
    assert any(says in warning and str(path) in warning for warning in warnings)


def test_shut_eyes_do_not_matter_for_a_mouth(perception: Perception, references: References) -> None:
    assert sources_of(perception, references.shut, Attribute.MOUTH)[1] == []


def test_a_small_reference(perception: Perception, references: References, portraits: dict[str, Picture]) -> None:
    path = references.save("small.png", np.ascontiguousarray(portraits["person_07"][::6, ::6]))
    assert "the face is small" in sources_of(perception, path)[1][0]


@pytest.mark.parametrize("degrees", [-65, 65])
def test_yaw_has_the_side_of_the_subject(perception: Perception, portraits: dict[str, Picture], degrees: int) -> None:
    from support.footage import turned

    frontal = perceive_image(portraits["person_01"], perception)[0]
    (face,) = perceive_image(turned(portraits["person_01"], frontal.landmarks, degrees), perception)
    assert 40 < np.sign(degrees) * head_yaw(face) < 80
