"""What a benchmark is made of: a JSON file that names every source by relative path and SHA-256."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from faceloom.errors import MediaError
from faceloom.evaluate.benchmark.files import check_hash, read_json, write_json
from faceloom.types import Attribute

NAME = "benchmark.json"
"""The manifest's name in the folder of a benchmark."""
PARTS = (Attribute.EYEBROWS, Attribute.EYES, Attribute.NOSE, Attribute.MOUTH)
"""The parts of V-PartSwap, section 4.1."""


def _relative(path: str) -> str:
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or "\\" in path or ":" in pure.parts[0]:
        raise ValueError("must be a relative path that stays inside its folder")
    return path


RelativePath = Annotated[str, AfterValidator(_relative)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Source = Literal["videos", "portraits"]
"""Which of the two folders given to ``benchmark build`` a file is in."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Settings(_Model):
    """What was asked for.

    targets         clips to edit, each of another identity.
    refs_per_part   reference samples for each part.
    parts           which parts.
    min_frames      frames of every target.
    size            side of the aligned crops, pixels.
    seed            of every choice.
    min_face        least mean side of a target's face, pixels.
    second_face     share of the main face's size up to which a second face in the picture is overlooked; 0: no other
                    face is allowed.
    masks           where part masks come from: the landmarks, or the face parser (needs torch).
    """

    targets: int = Field(100, ge=1)
    refs_per_part: int = Field(80, ge=1)
    parts: tuple[Attribute, ...] = PARTS
    min_frames: int = Field(120, ge=2)
    size: int = Field(256, ge=64, le=1024, multiple_of=2)
    seed: int = Field(0, ge=0)
    min_face: float = Field(64.0, ge=0)
    second_face: float = Field(0.0, ge=0, lt=1)
    masks: Literal["landmarks", "parser"] = "landmarks"


class Target(_Model):
    """A stretch of a video with one person in it.

    start, end   presentation times in seconds as exact fractions; ``end`` is that of the first frame after the
                 stretch, None where the video ends with it.
    face         mean side of the face's box, pixels.
    """

    id: str
    file: RelativePath
    sha256: Sha256
    first_frame: int
    frames: int
    start: str
    end: str | None
    fps: str
    width: int
    height: int
    face: float

    @property
    def span(self) -> tuple[Fraction, Fraction | None]:
        """``start`` and ``end`` as numbers."""
        return Fraction(self.start), None if self.end is None else Fraction(self.end)


class Reference(_Model):
    """A sample of the reference pool of one part: an aligned crop, the mask of the part, and landmarks.

    file, frame     where it was cut from; ``frame`` is None for a picture.
    crop            the (2, 3) similarity from frame to crop, row by row.
    quality         measures that the filters looked at, by name.
    likeness        largest cosine of its identity vector with that of any target.
    image, mask     PNG files in the folder of the benchmark; ``landmarks`` is a NumPy file, (478, 3) crop pixels.
    files           SHA-256 of those three, by path.
    """

    id: str
    part: Attribute
    source: Source
    file: RelativePath
    sha256: Sha256
    frame: int | None
    crop: tuple[float, float, float, float, float, float]
    quality: dict[str, float]
    likeness: float
    image: RelativePath
    mask: RelativePath
    landmarks: RelativePath
    files: dict[RelativePath, Sha256]


class Rejected(_Model):
    """How many were left out, by reason."""

    videos: dict[str, int] = {}
    samples: dict[str, int] = {}

    def tell(self) -> str:
        """In words, most frequent reasons first."""
        lines = []
        for what, counts in (("videos", self.videos), ("reference samples", self.samples)):
            reasons = [f"{reason} {count}" for reason, count in Counter(counts).most_common()]
            lines.append(f"{what} left out: {', '.join(reasons) if reasons else 'none'}")
        return "; ".join(lines)


class Manifest(_Model):
    """A benchmark. The same manifest, sources and versions give the same files.

    thresholds   limits of the quality filters and of the identity check, by name.
    versions     packages that made it; weights  name -> SHA-256.
    """

    format: Literal["faceloom-benchmark-1"] = "faceloom-benchmark-1"
    settings: Settings
    targets: tuple[Target, ...]
    references: tuple[Reference, ...]
    rejected: Rejected = Rejected()
    thresholds: dict[str, float] = {}
    versions: dict[str, str] = {}
    weights: dict[str, str] = {}

    def pool(self, part: Attribute) -> list[Reference]:
        """The references of one part."""
        return [reference for reference in self.references if reference.part == part]

    def write(self, folder: Path) -> None:
        """Write ``benchmark.json`` into ``folder``."""
        write_json(folder / NAME, self.model_dump(mode="json"))

    def check_references(self, folder: Path) -> None:
        """Raise MediaError, naming the file, if a reference in ``folder`` is missing or was changed."""
        for reference in self.references:
            for file, expected in reference.files.items():
                check_hash(folder / file, expected, "this benchmark")


def read_manifest(path: Path) -> Manifest:
    """The manifest at ``path``, a file or the folder of a benchmark.

    Raises:
        MediaError: there is none, or it is damaged; the message names the file and the key.
    """
    file = path / NAME if path.is_dir() else path
    values = read_json(file, "the manifest of a benchmark")
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        raise MediaError(f"{file}: the manifest is damaged: {explain(error)}; build the benchmark again") from error


def explain(error: ValidationError) -> str:
    """The first three problems of a file: key and what is wrong with it."""
    problems: list[Any] = error.errors()
    told = [f"{'.'.join(map(str, item['loc'])) or 'content'}: {item['msg']}" for item in problems[:3]]
    return "; ".join(told) + (f" and {len(problems) - 3} more" if len(problems) > 3 else "")
