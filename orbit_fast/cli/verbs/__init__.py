"""The verbs, one a file."""

from __future__ import annotations

from orbit_fast.cli.verb import Verb
from orbit_fast.cli.verbs import cp
from orbit_fast.cli.verbs import demo
from orbit_fast.cli.verbs import version

VERBS: tuple[Verb, ...] = (cp.VERB, demo.VERB, version.VERB)
"""In the order of help."""
