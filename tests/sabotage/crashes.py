"""What makes it safe to be killed anywhere, taken away in one way after another (R19)."""

from __future__ import annotations

from tests.kit.sabotage import Edit
from tests.kit.sabotage import Sabotage

_FILE = "proc/test_journal_file.py::"
_RECORDER = "proc/test_recorder.py::"
_POWER = "crash/test_power_cuts.py::"
_RESUMPTION = "io/test_resumption.py::"

_WRITTEN = (
    Sabotage(
        "an upload is created before anybody has written that it will be",
        "R19",
        (Edit("proc/recorder.py", "        self.journal.record(intent, is_urgent=True)\n", ""),),
        (_RECORDER + "test_what_matters_is_written_before_the_order_goes_out",),
    ),
    Sabotage(
        "orders go out before the journal is written",
        "R19",
        (
            Edit(
                "proc/recorder.py",
                "            self.journal.write()\n        return orders\n",
                "        return orders\n",
            ),
        ),
        (_RECORDER + "test_what_matters_is_written_before_the_order_goes_out",),
    ),
    Sabotage(
        "an upload id is used before it is on stable storage",
        "R19",
        (Edit("proc/journal.py", "self._is_urgent = self._is_urgent or is_urgent", "self._is_urgent = False"),),
        (_FILE + "test_urgent_records_are_on_stable_storage_and_others_soon",),
    ),
    Sabotage(
        "two runs write one journal",
        "R19",
        (
            Edit(
                "proc/filelock.py",
                "            if not _is_orphaned(fd):\n                return False\n",
                "            return True\n",
            ),
        ),
        (_FILE + "test_two_runs_of_one_command_do_not_share_it",),
    ),
    Sabotage(
        "what was kept is swept away",
        "R19",
        (Edit("proc/recorder.py", " if not self._is_kept(item.number)]", "]"),),
        (_RECORDER + "test_an_interrupted_job_keeps_what_the_journal_has",),
    ),
    Sabotage(
        "what could not be aborted is forgotten",
        "R19",
        (Edit("proc/recorder.py", "        if is_new and failure is None:\n", "        if is_new:\n"),),
        (_RECORDER + "test_what_could_not_be_aborted_is_remembered",),
    ),
)

_BELIEVED = (
    Sabotage(
        "a damaged line is believed",
        "R19",
        (Edit("core/journal.py", "    if line[:_SUM_DIGITS] != _sum(data).encode():\n        return None\n", ""),),
        ("core/test_journal.py::test_a_damaged_line_counts_for_nothing",),
    ),
    Sabotage(
        "parts are believed that the service does not hold so",
        "R19",
        (Edit("io/parts.py", "(listed.size, listed.etag) != (fact.size, fact.etag)", "False"),),
        (_RESUMPTION + "test_what_is_listed_otherwise_is_sent_again",),
    ),
    Sabotage(
        "a part that nobody heard of is taken for the file's",
        "R19",
        (Edit("io/resumption.py", "        if value == stored.value:\n", "        if value:\n"),),
        (_RESUMPTION + "test_what_is_listed_otherwise_is_sent_again",),
    ),
    Sabotage(
        "another file goes on with the upload",
        "R19",
        (
            Edit(
                "io/resumption.py",
                "        if source.fingerprint != earlier.fingerprint or source.size != earlier.size:\n",
                "        if source.size != earlier.size:\n",
            ),
        ),
        (_RESUMPTION + "test_a_file_that_changed_is_not_gone_on_with",),
    ),
    Sabotage(
        "what stands in a temporary file is believed",
        "R19",
        (Edit("io/resumption.py", "        if value == fact.checksum:\n", "        if value:\n"),),
        (_RESUMPTION + "test_a_range_that_is_not_what_landed_is_fetched_again",),
    ),
    Sabotage(
        "what has landed is moved again",
        "R19",
        (Edit("core/shared.py", "        while self.next_part in self.landed:\n", "        while False:\n"),),
        ("core/test_shared.py::test_what_has_landed_already_is_not_moved_again",),
    ),
)

_LEFT = (
    Sabotage(
        "an upload that nobody heard of stays",
        "R19",
        (
            Edit(
                "io/resumption.py",
                "            yield from upload.abandon(around, item, begun)\n    except S3Error",
                "            yield from ()\n    except S3Error",
            ),
        ),
        (_RESUMPTION + "test_an_upload_that_nobody_heard_of_is_aborted",),
    ),
    Sabotage(
        "temporary files of a crashed run stay",
        "R19",
        (Edit("proc/aftermath.py", "                os.unlink(entry.path)\n", "                pass\n"),),
        ("e2e/test_resume.py::test_litter_of_a_killed_run_is_removed_by_the_next",),
    ),
    Sabotage(
        "what nobody goes on with stays",
        "R19",
        (
            Edit(
                "proc/recorder.py",
                "                self.clean_up(item, known.earlier(item))\n",
                "                pass\n",
            ),
        ),
        (_RECORDER + "test_what_nobody_takes_up_is_cleaned_up_at_the_end",),
    ),
)

_FLUSHED = (
    Sabotage(
        "a durable file has its name before its bytes are safe",
        "R19",
        (Edit("io/files.py", "            if is_durable:\n                os.fsync(self.fd)\n", ""),),
        (_POWER + "test_what_is_done_survives_a_power_cut_and_the_rest_is_done_again[move-down]",),
    ),
    Sabotage(
        "a durable file can be lost with the directory that was made for it",
        "R19",
        (
            Edit(
                "io/download.py",
                "    if around.is_durable and item.root:\n        sync_upwards(item.path, item.root)\n",
                "",
            ),
        ),
        (_POWER + "test_what_is_done_survives_a_power_cut_and_the_rest_is_done_again[down]",),
    ),
    Sabotage(
        "a script keeps no journal",
        "R19",
        (Edit("proc/script.py", "    recovery.recall(supervisor, fd)\n", ""),),
        ("crash/test_crash_points.py::test_a_kill_at_any_named_point_loses_nothing[run-up]",),
    ),
    Sabotage(
        "a line of a script goes on with what other options began",
        "R19",
        (
            Edit(
                "proc/line_ledger.py",
                "        return place if settings is None else replace(place, way=way_of(settings))\n",
                "        return replace(place) if settings is None else place\n",
            ),
        ),
        ("proc/test_script_recovery.py::test_what_other_options_began_is_not_gone_on_with",),
    ),
    Sabotage(
        "the upload of a stream is in no journal",
        "R19",
        (
            Edit(
                "proc/recorder.py",
                "        if known is not None and layout is not None:\n",
                "        if known is not None and isinstance(layout, Layout):\n",
            ),
        ),
        (_RECORDER + "test_a_stream_is_known_and_never_taken_up",),
    ),
)

SABOTAGES = (*_WRITTEN, *_BELIEVED, *_LEFT, *_FLUSHED)
