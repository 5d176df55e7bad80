"""OpenCV's log on standard error, kept out of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def only_errors() -> Iterator[None]:
    """Silence OpenCV's warnings in a block: its network loader warns about targets nobody asked for."""
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)
