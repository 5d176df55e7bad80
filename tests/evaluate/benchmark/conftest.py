"""One small benchmark and one run of it, made once in a process; read-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.benchmark import SMALL, write_sources
from support.fixtures import footage
from support.footage import Picture

from faceloom.evaluate.benchmark.build import build_benchmark
from faceloom.evaluate.benchmark.manifest import Manifest
from faceloom.evaluate.benchmark.methods import parse_methods
from faceloom.evaluate.benchmark.runner import run_benchmark
from faceloom.weights import Store

__all__ = ["desk", "footage"]


@dataclass(frozen=True)
class Desk:
    """``folder`` holds videos/, portraits/, bench/ and run/, the run of two methods."""

    folder: Path
    manifest: Manifest

    @property
    def videos(self) -> Path:
        return self.folder / "videos"

    @property
    def portraits(self) -> Path:
        return self.folder / "portraits"

    @property
    def bench(self) -> Path:
        return self.folder / "bench"

    @property
    def run(self) -> Path:
        return self.folder / "run"


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory, portraits: Mapping[str, Picture], store: Store) -> Desk:
    folder = tmp_path_factory.mktemp("desk")
    videos, pictures = write_sources(folder, portraits)
    manifest, warnings = build_benchmark(videos, folder / "bench", SMALL, portraits=pictures)
    assert not warnings
    run_benchmark(folder / "bench", folder / "run", parse_methods("multiband,unwarped_paste"))
    return Desk(folder, manifest)
