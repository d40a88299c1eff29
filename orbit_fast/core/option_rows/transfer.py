"""Options that say how much moves at once, and what is proven."""

from __future__ import annotations

from orbit_fast.core import limits
from orbit_fast.core.settings import MIB
from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import choice
from orbit_fast.core.values import integer
from orbit_fast.core.values import rate
from orbit_fast.core.values import size
from orbit_fast.core.verb_groups import BUFFERS
from orbit_fast.core.verb_groups import COPIES
from orbit_fast.core.verb_groups import ENGINE
from orbit_fast.core.verb_groups import MOVES
from orbit_fast.core.verb_groups import RESUMES
from orbit_fast.core.verb_groups import UPLOADS

_MOST_OBJECTS = 65_536
_MOST_PROCESSES = 1024
_LEAST_MEMORY = 16 * MIB

_CHECKSUMS = ("CRC32C", "CRC32", "CRC64NVME", "SHA1", "SHA256")

ROWS = (
    Option(
        name="workers",
        path="transfer.workers",
        help="Objects in flight, all processes together.",
        parse=integer(1, _MOST_OBJECTS),
        metavar="N",
        also=("--parallel",),
        verbs=ENGINE,
    ),
    Option(
        name="concurrency",
        path="transfer.concurrency",
        help="Parts of one object in flight.",
        parse=integer(1, limits.MAX_PARTS),
        metavar="N",
        verbs=BUFFERS,
    ),
    Option(
        name="part-size",
        path="transfer.part_size",
        help="Larger objects move in parts of this size; plain numbers are MiB.",
        parse=size(limits.MIN_PART_BYTES, limits.MAX_PART_BYTES, default_unit=MIB),
        metavar="SIZE",
        verbs=MOVES,
    ),
    Option(
        name="processes",
        path="transfer.processes",
        help="Worker processes.",
        parse=integer(1, _MOST_PROCESSES),
        metavar="N",
        default_text="the CPUs available",
        verbs=BUFFERS,
    ),
    Option(
        name="max-memory",
        path="transfer.max_memory",
        help="Buffers of all processes together.",
        parse=size(_LEAST_MEMORY),
        metavar="SIZE",
        verbs=BUFFERS,
    ),
    Option(
        name="max-bandwidth",
        path="transfer.max_bandwidth",
        help="Bytes per second, all processes and both directions together: 100MB, 1.5Gbit.",
        parse=rate,
        metavar="RATE",
        default_text="unlimited",
        verbs=BUFFERS | {"verify"},
    ),
    Option(
        name="no-verify",
        path="transfer.verify",
        help="Do not compare what was downloaded with the service's checksum.",
        shape=Shape.FLAG,
        constant=False,
        verbs=COPIES,
    ),
    Option(
        name="require-verify",
        path="transfer.require_verify",
        help="Fail objects for which the service offers nothing to compare with but the size.",
        shape=Shape.FLAG,
        verbs=MOVES | {"verify"},
    ),
    Option(
        name="audit",
        path="transfer.audit",
        help="When all is done, list an S3 destination once and compare every key and size.",
        shape=Shape.FLAG,
        verbs=COPIES,
    ),
    Option(
        name="checksum-algorithm",
        path="transfer.checksum_algorithm",
        help="Checksum that uploads carry and the service verifies.",
        parse=choice(_CHECKSUMS),
        choices=_CHECKSUMS,
        verbs=UPLOADS,
    ),
    Option(
        name="preserve-metadata",
        path="transfer.preserve_metadata",
        help="Keep modification time and mode in the object's metadata, and restore them.",
        shape=Shape.FLAG,
        verbs=MOVES,
    ),
    Option(
        name="resume",
        path="transfer.resume",
        help="Keep a journal, and go on where an interrupted run of the same command stopped.",
        shape=Shape.TOGGLE,
        default_text="on",
        verbs=RESUMES,
    ),
    Option(
        name="durable",
        path="transfer.durable",
        help="Downloads are done only when file and name are on stable storage; mv always does so.",
        shape=Shape.FLAG,
        verbs=MOVES,
    ),
)
