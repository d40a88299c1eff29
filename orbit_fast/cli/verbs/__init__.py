"""The verbs, one a file."""

from __future__ import annotations

from orbit_fast.cli.verb import Verb
from orbit_fast.cli.verbs import cat
from orbit_fast.cli.verbs import completions
from orbit_fast.cli.verbs import cp
from orbit_fast.cli.verbs import demo
from orbit_fast.cli.verbs import doctor
from orbit_fast.cli.verbs import du
from orbit_fast.cli.verbs import head
from orbit_fast.cli.verbs import ls
from orbit_fast.cli.verbs import mb
from orbit_fast.cli.verbs import mv
from orbit_fast.cli.verbs import pipe
from orbit_fast.cli.verbs import presign
from orbit_fast.cli.verbs import rb
from orbit_fast.cli.verbs import restore
from orbit_fast.cli.verbs import rm
from orbit_fast.cli.verbs import run
from orbit_fast.cli.verbs import select
from orbit_fast.cli.verbs import sync
from orbit_fast.cli.verbs import uploads
from orbit_fast.cli.verbs import verify
from orbit_fast.cli.verbs import version
from orbit_fast.cli.verbs import versions

VERBS: tuple[Verb, ...] = (
    cp.VERB,
    sync.VERB,
    verify.VERB,
    mv.VERB,
    rm.VERB,
    ls.VERB,
    du.VERB,
    head.VERB,
    cat.VERB,
    pipe.VERB,
    run.VERB,
    select.VERB,
    presign.VERB,
    mb.VERB,
    rb.VERB,
    versions.VERB,
    uploads.VERB,
    restore.VERB,
    doctor.VERB,
    demo.VERB,
    completions.VERB,
    version.VERB,
)
"""In the order of help."""
