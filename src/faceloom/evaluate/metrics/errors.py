"""What a metric says when it cannot be computed from what it was given."""

from __future__ import annotations

from faceloom.errors import FaceloomError


class MetricError(FaceloomError, ValueError):
    """The input of a metric is wrong: lengths or sizes that do not match, a set that is too small."""

    exit_code = 2
