"""Which examples hypothesis tries: the same ones in every run. ``ORBIT_EXPLORE`` has it look for others.

A run decides whether a change may land, and that must not depend on luck: what a property is tried with follows from
its own text alone, and no machine is too slow for it. ``tox -e explore`` looks for counterexamples that are new.
"""

from __future__ import annotations

import os
import sys

from hypothesis import HealthCheck
from hypothesis import settings

SLOW = [HealthCheck.too_slow]
INTERNALS = "hypothesis.internal.conjecture.providers"

settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=SLOW)
settings.register_profile("explore", max_examples=1000, deadline=None, suppress_health_check=SLOW)

# Here and not in a hook: the decorators in test modules take what is chosen by the time they are read.
if os.environ.get("ORBIT_EXPLORE"):
    settings.load_profile("explore")
else:
    settings.load_profile("repeatable")
    if INTERNALS in sys.modules:
        # It also takes numbers and texts from those of our modules that happen to be imported: another order of the
        # tests, or a change anywhere, would make other examples. There is no setting for that.
        sys.modules[INTERNALS]._get_local_constants = lambda: sys.modules[INTERNALS]._local_constants
