"""The errors that faceloom raises on purpose.

Every message says what happened, where (file, frame) and what to do about it. The command line prints the
message alone and exits with ``exit_code``; anything else that escapes is a bug and shows its traceback.
"""

from __future__ import annotations

from typing import Any


class FaceloomError(Exception):
    """Base of every expected error."""

    exit_code = 1


class MediaError(FaceloomError):
    """A file cannot be read or written: missing, empty, not a picture or video, broken, already there."""

    exit_code = 3


class TruncatedMediaError(MediaError):
    """A video ends early or has undecodable data; what could be decoded was delivered first.

    ``report`` is the ``run.Report`` of an edit that used what decodes, None when the error comes from elsewhere.
    """

    report: Any = None


class WeightsError(FaceloomError):
    """A weight is missing, does not match its hash, or its licence is not permitted."""

    exit_code = 4


class FaceError(FaceloomError):
    """No usable face where one is needed."""

    exit_code = 5


class RecipeError(FaceloomError):
    """The request itself is wrong: unknown attribute, method, key or value."""

    exit_code = 2


class GeometryError(FaceloomError, ValueError):
    """Points that define no transform: too few, collinear, coincident or not finite."""

    exit_code = 6
