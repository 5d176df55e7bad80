"""A build backend that builds nothing.

pip asks a source archive for its metadata before it hands the archive over, which normally runs code of that
archive (``setup.py``). The store puts this module in the place of ``setuptools.build_meta`` for that question:
it answers from ``PKG-INFO``, which every source archive carries, and so nothing of the archive is executed.
It runs in pip's process, with the unpacked archive as the working directory, and so imports nothing of faceloom.
"""

from email import message_from_bytes
from pathlib import Path


def get_requires_for_build_wheel(config_settings: dict[str, str] | None = None) -> list[str]:
    """No build dependency (PEP 517)."""
    return []


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: dict[str, str] | None = None) -> str:
    """Write ``PKG-INFO`` as the wheel's metadata and return the folder's name (PEP 517)."""
    metadata = Path("PKG-INFO").read_bytes()
    fields = message_from_bytes(metadata)
    name = str(fields["Name"]).replace("-", "_")
    folder = Path(metadata_directory) / f"{name}-{fields['Version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_bytes(metadata)
    return folder.name


def build_wheel(*_: object, **__: object) -> str:
    """Refuse: an archive that carries weights is never built."""
    raise RuntimeError("this archive is only downloaded, never built")


class __legacy__:
    """The same hooks under the name by which pip asks for them when a project has no ``pyproject.toml``."""

    get_requires_for_build_wheel = staticmethod(get_requires_for_build_wheel)
    prepare_metadata_for_build_wheel = staticmethod(prepare_metadata_for_build_wheel)
    build_wheel = staticmethod(build_wheel)
