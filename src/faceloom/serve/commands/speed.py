"""x"""


def speed() -> None:
    """x."""
