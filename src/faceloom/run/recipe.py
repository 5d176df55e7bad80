"""Recipes from flags, Python and files: one model, one set of checks."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceloom.errors import RecipeError
from faceloom.methods.contract import AUTO, suggest
from faceloom.types import Attribute, Recipe


class _RecipeFile(BaseModel):
    """The keys of a recipe file; they have the names of the flags."""

    model_config = ConfigDict(extra="forbid", strict=True)

    take: dict[str, str] = Field(default_factory=dict)
    method: str | None = None
    strength: float = Field(default=1.0, ge=0, le=1)
    face: str | int = "largest"
    reference_face: int | None = Field(default=None, ge=1)
    occlusion: Literal["colour", "parser"] = "colour"
    seed: int = Field(default=0, ge=0)
    options: dict[str, Any] = Field(default_factory=dict)
    retouch: str | list[str] = Field(default_factory=list)


def read_recipe(path: Path) -> Recipe:
    """Read a TOML recipe; paths in it are relative to the file's own folder.

    Raises:
        RecipeError: no such file, not TOML, an unknown key, or a value that makes no sense.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror or error}; check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"the recipe {path} is not valid TOML: {error}") from error
    return build_recipe(values, where=f"recipe {path}", folder=path.parent)


def build_recipe(values: Mapping[str, Any], where: str = "recipe", folder: Path | None = None) -> Recipe:
    """A checked recipe from plain values.

    Args:
        values: keys as in a recipe file: take, method, strength, face, reference_face, occlusion, seed, options,
            retouch (one request or a list of them). Method ``auto`` is the same as none.
        where: what to call the place in error messages.
        folder: relative paths in ``take`` start here; None leaves them as they are.

    Raises:
        RecipeError: unknown keys or attributes (with the nearest known one), values out of range, nothing to take
            or retouch, or both at once.
    """
    try:
        checked = _RecipeFile.model_validate(dict(values))
    except ValidationError as error:
        raise RecipeError(_explain(error, where)) from error
    take = {parse_attribute(name): _resolve(path, folder) for name, path in checked.take.items()}
    retouch = (checked.retouch,) if isinstance(checked.retouch, str) else tuple(checked.retouch)
    _check_purpose(take, retouch, where)
    _check_overlap(take, where)
    return Recipe(
        take=take,
        method=None if checked.method == AUTO else checked.method,
        strength=checked.strength,
        face=parse_face(str(checked.face)),
        reference_face=checked.reference_face,
        occlusion=checked.occlusion,
        seed=checked.seed,
        options=checked.options,
        retouch=retouch,
    )


def parse_take(text: str) -> tuple[str, str]:
    """``mouth=ref.jpg`` as attribute name and path. Raises RecipeError when it is not of that form."""
    name, separator, path = text.partition("=")
    if not separator or not name.strip() or not path.strip():
        raise RecipeError(f"--take '{text}' is not of the form attribute=file, for example --take mouth=ref.jpg")
    return name.strip(), path.strip()


def parse_attribute(name: str) -> Attribute:
    """The attribute called ``name``. Raises RecipeError, suggesting the nearest one, when there is none."""
    known = [attribute.value for attribute in Attribute]
    word = name.strip().lower().replace("-", "_").replace(" ", "_")
    if word not in known:
        hint = suggest(word, known) or f"; known are {', '.join(known)}"
        raise RecipeError(f"unknown part or attribute '{name}'{hint}")
    return Attribute(word)


def parse_face(text: str) -> str:
    """``largest``, ``all`` or a positive track id. Raises RecipeError otherwise."""
    word = text.strip().lower()
    if word not in ("largest", "all") and not (word.isdecimal() and int(word) > 0):
        raise RecipeError(f"--face '{text}' must be largest, all, or a track id as shown by `faceloom inspect`")
    return word


def _resolve(path: str, folder: Path | None) -> Path:
    return Path(path) if folder is None else folder / path


def _check_purpose(take: Mapping[Attribute, Path], retouch: tuple[str, ...], where: str) -> None:
    if not take and not retouch:
        raise RecipeError(
            f"{where} takes nothing and retouches nothing; name at least one attribute, for example --take "
            'mouth=ref.jpg, or say what is to go, for example --retouch "acne on the right cheek"'
        )
    if take and retouch:
        raise RecipeError(
            f"{where} takes {', '.join(take)} and retouches; an edit does one of the two. Do one, and the other on its "
            "result"
        )
    if any(not request.strip() for request in retouch):
        raise RecipeError(f"{where} has an empty retouch request; say what is to go, as in: acne on the right cheek")


def _check_overlap(take: Mapping[Attribute, Path], where: str) -> None:
    taken: dict[str, Attribute] = {}
    for attribute in take:
        for part in attribute.parts:
            if part in taken:
                raise RecipeError(
                    f"{where} takes {part.value.replace('_', ' ')} twice, as '{taken[part]}' and as '{attribute}'; "
                    "name both sides separately or drop one"
                )
            taken[part] = attribute


def _explain(error: ValidationError, where: str) -> str:
    known = list(_RecipeFile.model_fields)
    lines = []
    for problem in error.errors():
        key = ".".join(str(step) for step in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(f"unknown key '{key}'{suggest(key, known) or '; known are ' + ', '.join(known)}")
        else:
            lines.append(f"{key}: {problem['msg']} (got {problem.get('input')!r})")
    return f"{where}: " + "; ".join(lines)
