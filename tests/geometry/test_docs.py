from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from faceloom.geometry.masks import Region
from faceloom.types import Part

DOCS = Path(__file__).parents[2] / "docs"


def test_the_example_of_the_geometry_page_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (DOCS / "geometry.md").read_text(), re.DOTALL)
    names: dict[str, np.ndarray] = {}
    exec(compile(example, "docs/geometry.md", "exec"), names)
    picture = names["picture"]
    assert picture.shape == (160, 200, 3) and np.isfinite(picture).all()
    assert np.abs(picture[80, 100] - 0.5).max() > 0.1 and np.allclose(picture[0, 0], 0.5, atol=0.02)


def test_the_parts_page_names_every_part_and_region() -> None:
    page = (DOCS / "parts.md").read_text()
    for name in (*Part, *Region):
        assert f"`{name}`" in page
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", page):
        assert (DOCS / picture).is_file()
