"""How Hypothesis runs here: the same cases every time, and no test judged by its speed.

`make check-long` looks for new cases instead (`HYPOTHESIS_PROFILE=long`).
"""

import os

from hypothesis import settings

settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.register_profile("long", deadline=None, max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
