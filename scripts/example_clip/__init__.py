"""Parts of ``make_example_clip.py``: a synthetic portrait that turns, blinks and talks."""
