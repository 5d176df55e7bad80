"""What a benchmark says when it cannot be built, run or scored as asked."""

from __future__ import annotations

from faceloom.errors import FaceloomError


class BenchmarkError(FaceloomError):
    """Too few clips or references, a folder that holds something else, or a request that makes no sense."""

    exit_code = 2
