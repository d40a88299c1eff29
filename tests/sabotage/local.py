"""Disks, names, secrets, exits and processes, taken away one by one (R4, R11, R12, R15, R16)."""

from __future__ import annotations

from tests.kit.sabotage import Edit
from tests.kit.sabotage import Sabotage

_BODIES = "faults/test_faults_bodies.py::"
_LISTING = "faults/test_faults_listing.py::"
_RESPONSES = "faults/test_faults_responses.py::"

_FILES = (
    Sabotage(
        "a file gets its name before it is proven",
        "R4",
        (
            Edit(
                "io/download.py",
                "        verified = yield from _prove(around, order, landing)\n",
                "        with open(landing.temp_path, 'rb') as whole, open(item.path, 'wb') as early:\n"
                "            early.write(whole.read())\n"
                "        verified = yield from _prove(around, order, landing)\n",
            ),
        ),
        (_BODIES + "test_b5_a_flipped_bit_for_ever_is_an_integrity_failure[ranges]",),
    ),
    Sabotage(
        "bytes are written under the final name",
        "R4",
        (
            Edit(
                "io/files.py",
                "            done = os.pwrite(self.fd, view, offset)\n",
                "            done = os.pwrite(self.fd, view, offset)\n"
                "            with open(self.path, 'wb') as final:\n"
                "                final.write(view)\n",
            ),
        ),
        (_BODIES + "test_b1_b2_a_body_that_always_breaks_off_fails[close-whole]",),
    ),
    Sabotage(
        "the temporary file is left",
        "R4",
        (
            Edit(
                "io/files.py",
                "            os.unlink(self.temp_name, dir_fd=self._directory.fd)\n        self._end(State.DISCARDED)",
                "            pass\n        self._end(State.DISCARDED)",
            ),
        ),
        (_BODIES + "test_b5_a_flipped_bit_for_ever_is_an_integrity_failure[whole]",),
    ),
    Sabotage(
        "the temporary file is there for everybody to read",
        "R4",
        (Edit("io/files.py", "_TEMP_MODE: Final = 0o600", "_TEMP_MODE: Final = 0o644"),),
        ("io/test_files.py::test_a_file_lands_whole",),
    ),
    Sabotage(
        "the temporary file may be somebody else's",
        "R4",
        (
            Edit(
                "io/files.py",
                "os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC",
                "os.O_RDWR | os.O_CREAT | os.O_CLOEXEC",
            ),
        ),
        ("io/test_files.py::test_temporary_names_are_never_reused",),
    ),
    Sabotage(
        "the umask is not asked about",
        "R4",
        (
            Edit(
                "io/files.py",
                "wanted = 0o666 & ~self._umask if mode is None else mode & 0o777",
                "wanted = 0o666 if mode is None else mode & 0o777",
            ),
        ),
        ("io/test_files.py::test_modes",),
    ),
    Sabotage(
        "set-uid travels",
        "R4",
        (
            Edit(
                "io/files.py",
                "wanted = 0o666 & ~self._umask if mode is None else mode & 0o777",
                "wanted = 0o666 & ~self._umask if mode is None else mode",
            ),
        ),
        ("io/test_files.py::test_modes",),
    ),
    Sabotage(
        "no-clobber replaces a file that appears under way",
        "R4",
        (
            Edit(
                "io/files.py",
                "is_published = self._rename_exclusively() if no_clobber else self._rename()",
                "is_published = self._rename()",
            ),
        ),
        ("io/test_files.py::test_no_clobber",),
    ),
)

_NAMES = (
    Sabotage(
        "a key may lead out of the destination",
        "R11",
        (
            Edit("core/names.py", '    b"..": "the component \'..\' would leave the destination",\n', ""),
            Edit("io/directories.py", '    if name in {b"", b".", b".."} or', '    if name in {b"", b"."} or'),
        ),
        (_LISTING + "test_f1_keys_that_lead_out_are_refused[../escape]",),
    ),
    Sabotage(
        "empty components are dropped",
        "R11",
        (Edit("core/names.py", '    b"": "an empty component cannot be kept in a local path",\n', ""),),
        ("core/test_names.py::test_names_without_a_place_are_refused",),
    ),
    Sabotage(
        "a link below the destination is followed",
        "R11",
        (
            Edit(
                "io/directories.py",
                "                return os.open(name, _OPEN | os.O_NOFOLLOW, dir_fd=parent_fd), is_new\n",
                "                return os.open(name, _OPEN, dir_fd=parent_fd), is_new\n",
            ),
        ),
        ("io/test_directories.py::test_links_below_the_root_are_not_followed",),
    ),
    Sabotage(
        "a file in another spelling is replaced",
        "R11",
        (
            Edit(
                "io/spelling.py",
                "            if is_exact:\n",
                "            if is_exact is not None:\n",
            ),
        ),
        ("io/test_spelling.py::test_a_name_that_is_taken_meanwhile_is_not_replaced[False]",),
    ),
    Sabotage(
        "a directory in another spelling is entered",
        "R11",
        (Edit("io/directories.py", "            if not is_new:\n", "            if is_new:\n"),),
        ("io/test_spelling.py::test_a_directory_in_another_spelling_is_refused",),
    ),
    Sabotage(
        "no-clobber leaves out what is there in another spelling only",
        "R11",
        (
            Edit(
                "io/files.py",
                "            self._directories.check(self._directory, self.temp_name, self.name)\n",
                "            pass\n",
            ),
        ),
        ("io/test_spelling.py::test_a_name_that_is_taken_meanwhile_is_not_replaced[True]",),
    ),
    Sabotage(
        "a link as source is followed unasked",
        "R11",
        (Edit("io/sources.py", "_SOURCE if follow_symlinks else _SOURCE | os.O_NOFOLLOW", "_SOURCE"),),
        ("io/test_sources.py::test_links_are_followed_only_when_asked",),
    ),
)

_SECRETS = (
    Sabotage(
        "a secret in a header is shown",
        "R12",
        (Edit("core/redact.py", r"""    text = _HEADER.sub(rf"\g<1>\g<2>{MASK}", text)""" + "\n", ""),),
        ("core/test_redact.py::test_removes_canary",),
    ),
    Sabotage(
        "a signature in a URL is shown",
        "R12",
        (Edit("core/redact.py", r"""    text = _SIGNATURE.sub(rf"\g<1>={MASK}", text)""" + "\n", ""),),
        ("core/test_redact.py::test_removes_canary",),
    ),
)

_EXITS = (
    Sabotage(
        "an object that failed is no failure",
        "R15",
        (
            Edit(
                "core/tally.py", "        if self.failed or self.is_report_lost or", "        if self.is_report_lost or"
            ),
        ),
        (_RESPONSES + "test_a2_an_error_inside_200_that_stays_fails_and_aborts",),
    ),
    Sabotage(
        "a lost report is no failure",
        "R15",
        (Edit("core/tally.py", "        if self.failed or self.is_report_lost or", "        if self.failed or"),),
        ("proc/test_report.py::test_a_report_that_could_not_be_written_is_no_success",),
    ),
    Sabotage(
        "damage is a failure like another",
        "R15",
        (Edit("core/tally.py", "        if self.damaged:\n", "        if False:\n"),),
        (_BODIES + "test_b5_a_flipped_bit_for_ever_is_an_integrity_failure[whole]",),
    ),
    Sabotage(
        "a listing that broke off is no failure",
        "R15",
        (
            Edit(
                "proc/report.py",
                "            self.tally.stopper = failure\n"
                "            # A failure that names no object is the command's own.\n",
                "            # A failure that names no object is the command's own.\n",
            ),
        ),
        (_LISTING + "test_l1_a_page_that_fails_for_ever_is_no_listing[500-3]",),
    ),
)

_AUDIT = (
    Sabotage(
        "an audit does not look at sizes",
        "R15",
        (Edit("proc/audit.py", "WHERE found IS NOT size ORDER BY key", "WHERE found IS NULL ORDER BY key"),),
        ("e2e/test_audit.py::test_what_was_acknowledged_and_lost_is_an_integrity_failure",),
    ),
    Sabotage(
        "an audit is not made",
        "R15",
        (Edit("proc/audit.py", "        self.is_done = first is None\n", "        self.is_done = True\n"),),
        ("e2e/test_audit.py::test_what_was_acknowledged_and_lost_is_an_integrity_failure",),
    ),
)

_PROCESSES = (
    Sabotage(
        "the work of a dead worker is forgotten",
        "R16",
        (
            Edit(
                "core/ledger.py",
                "        for item in hands.items.values():\n            if self._losses.may_try_again(item):\n",
                "        for item in ():\n            if self._losses.may_try_again(item):\n",
            ),
        ),
        ("core/test_ledger.py::test_a_lost_workers_items_and_parts_are_dealt_again",),
    ),
    Sabotage(
        "the parts of a dead worker are forgotten",
        "R16",
        (Edit("core/ledger.py", "        self._shared.lost(hands.parts, hands.steps)\n", ""),),
        ("core/test_ledger.py::test_a_lost_workers_items_and_parts_are_dealt_again",),
    ),
    Sabotage(
        "a damaged message between processes is believed",
        "R16",
        (Edit("proc/channel.py", "    if zlib.crc32(payload) != checksum:\n", "    if False:\n"),),
        ("proc/test_channel.py::test_every_flipped_bit_is_noticed",),
    ),
)

SABOTAGES = (*_FILES, *_NAMES, *_SECRETS, *_EXITS, *_AUDIT, *_PROCESSES)
