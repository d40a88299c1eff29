"""Deletion on the strength of what was not seen, made possible in one way after another (R18)."""

from __future__ import annotations

from tests.kit.sabotage import Edit
from tests.kit.sabotage import Sabotage

_FAULTS = "faults/test_faults_sync.py::"
_L6 = "faults/test_faults_deletion.py::"
_GUARD = "core/test_guard.py::"
_SYNC = "core/test_sync.py::"

SABOTAGES = (
    Sabotage(
        "a listing that broke off has ended",
        "R18",
        (
            Edit(
                "proc/key_stream.py",
                "            self._has_failed = not self._space.refused(one.number)\n",
                '            self._space.answer(one.number, [], [], "")\n            self._collect()\n',
            ),
        ),
        ("proc/test_key_stream.py::test_a_page_that_cannot_be_had_is_told_once_and_the_stream_never_ends",),
    ),
    Sabotage(
        "a listing may begin anywhere, whatever the service",
        "R18",
        (
            Edit(
                "core/keyspace.py",
                "        self._is_tried = self._trial_found == self._follows\n",
                "        self._is_tried = True\n",
            ),
        ),
        ("core/test_keyspace.py::test_a_service_that_begins_elsewhere_is_listed_page_by_page",),
    ),
    Sabotage(
        "every listing is sorted, a directory bucket's too",
        "R18",
        (Edit("io/listing.py", "        is_sorted=False,\n", ""),),
        ("io/test_directory_listings.py::test_a_page_says_that_it_is_not_sorted",),
    ),
    Sabotage(
        "what is not sorted is listed in stretches",
        "R18",
        (
            Edit(
                "core/keyspace.py",
                '        """Keys come in no order, so no key says what comes after it: never cut."""\n'
                "        self._may_cut = False\n",
                '        """Cut wherever it seems good."""\n',
            ),
        ),
        ("core/test_directory_buckets.py::test_a_listing_that_is_not_sorted_is_never_cut",),
    ),
    Sabotage(
        "a key that an unsorted listing names twice is there once",
        "R18",
        (Edit("io/sorted_listing.py", "            if name == last:\n", "            if False:\n"),),
        ("proc/test_unsorted_streams.py::test_a_key_that_comes_twice_is_no_listing",),
    ),
    Sabotage(
        "a listing that could not be sorted has ended",
        "R18",
        (
            Edit(
                "proc/key_stream.py",
                "        return self._space.is_done and not self._ready and not self._has_failed\n",
                "        return self._space.is_done and not self._ready\n",
            ),
        ),
        ("proc/test_unsorted_streams.py::test_a_key_that_comes_twice_is_no_listing",),
    ),
    Sabotage(
        "names may go backwards",
        "R18",
        (
            Edit(
                "core/merge.py",
                "        if not is_after or not all(map(operator.lt, names, names[1:])):\n",
                "        if False:\n",
            ),
        ),
        ("core/test_merge.py::test_a_side_that_goes_back_is_refused",),
    ),
    Sabotage(
        "a side that is behind has ended",
        "R18",
        (
            Edit(
                "core/merge.py",
                "            elif has_source and destination.is_ended:\n",
                "            elif has_source:\n",
            ),
        ),
        ("core/test_merge.py::test_what_is_missing_is_told_only_when_it_is_certain",),
    ),
    Sabotage(
        "extras go although a copy failed",
        "R18",
        (Edit("core/guard.py", "    if case.failed:\n", "    if False:\n"),),
        (_FAULTS + "test_a_copy_that_fails_cancels_every_deletion[source]",),
    ),
    Sabotage(
        "extras go although a side was not seen whole",
        "R18",
        (Edit("core/guard.py", "    if not case.is_whole:\n", "    if False:\n"),),
        (_GUARD + "test_what_stands_in_the_way",),
    ),
    Sabotage(
        "an empty source empties the destination",
        "R18",
        (Edit("core/guard.py", "    if not case.at_source and not case.allows_empty_source:\n", "    if False:\n"),),
        (_FAULTS + "test_d8_an_empty_source_deletes_nothing",),
    ),
    Sabotage(
        "any number may go",
        "R18",
        (
            Edit(
                "core/guard.py",
                "    elif not case.limit.allows(case.extras, case.at_destination):\n",
                "    elif False:\n",
            ),
        ),
        (_FAULTS + "test_l9_more_deletions_than_can_be_meant",),
    ),
    Sabotage(
        "what is unknown is absent",
        "R18",
        (
            Edit(
                "core/sync.py",
                "        if not options.deletes or self._is_protected(name):\n",
                "        if not options.deletes:\n",
            ),
        ),
        (_FAULTS + "test_d9_links_that_lead_nowhere_or_are_not_followed_protect_their_copies",),
    ),
    Sabotage(
        "a filter protects one side only",
        "R18",
        (
            Edit(
                "core/sync.py",
                "                if dest is not None and self._options.deletes_excluded:\n",
                "                if dest is not None:\n",
            ),
        ),
        (_FAULTS + "test_l12_a_filter_protects_both_sides",),
    ),
    Sabotage(
        "an unreadable directory is an empty one",
        "R18",
        (
            Edit(
                "proc/sync_sides.py",
                "            elif kind is not Kind.TEMPORARY or self._is_source:\n",
                "            elif kind not in {Kind.TEMPORARY, Kind.UNREADABLE}:\n",
            ),
        ),
        (_FAULTS + "test_d7_what_may_not_be_read_is_not_deleted",),
    ),
    Sabotage(
        "a file that was written to meanwhile is removed",
        "R18",
        (
            Edit(
                "io/tasks/extras.py",
                " or now != tuple(facts):\n",
                ":\n",
            ),
        ),
        (_FAULTS + "test_l11_what_has_changed_since_it_was_listed_stays",),
    ),
    Sabotage(
        "a dry run deletes",
        "R18",
        (
            Edit(
                "io/tasks/extras.py",
                "                if not given.settings.output.dry_run:\n",
                "                if True:\n",
            ),
        ),
        ("io/test_task_extras.py::test_a_plan_removes_nothing",),
    ),
    Sabotage(
        "what a listing did not name is not there",
        "R18",
        (Edit("proc/sync_deletion.py", "        if looks(case.verify, case.extras):\n", "        if False:\n"),),
        (_L6 + "test_l6_what_a_listing_hides_is_not_deleted[a key-local]",),
    ),
    Sabotage(
        "what cannot be looked at is not there",
        "R18",
        (
            Edit(
                "io/tasks/peers.py",
                "            trouble.append(_unclear(name, result))\n",
                "            pass\n",
            ),
        ),
        (_L6 + "test_l6_a_look_that_fails_says_nothing[403]",),
    ),
    Sabotage(
        "a file that has come back is not looked for",
        "R18",
        (Edit("io/tasks/peers.py", "        if is_there:\n", "        if False:\n"),),
        (_L6 + "test_l6_a_file_that_has_come_back",),
    ),
    Sabotage(
        "a filter may be forgotten",
        "R18",
        (
            Edit(
                "core/guard.py",
                "    elif case.weakened and not case.allows_changed_filters:\n",
                "    elif False:\n",
            ),
        ),
        (_L6 + "test_l12_a_filter_that_is_forgotten_deletes_nothing",),
    ),
    Sabotage(
        "a sync that was refused is the last one",
        "R18",
        (
            Edit(
                "proc/sync_deletion.py",
                "        self._is_dealt = True\n        failure =",
                "        self._is_dealt = True\n        self._on_done()\n        failure =",
            ),
        ),
        (_L6 + "test_l12_a_filter_that_is_forgotten_deletes_nothing",),
    ),
    Sabotage(
        "a destination inside another is another one",
        "R18",
        (
            Edit(
                "proc/destination_lock.py",
                "                if claim.place.startswith(self._place) or self._place.startswith(claim.place):\n",
                "                if claim.place == self._place:\n",
            ),
        ),
        ("proc/test_destination_lock.py::test_one_that_lies_in_the_other",),
    ),
    Sabotage(
        "what the disk takes for an object of the source is deleted",
        "R18",
        (
            Edit(
                "proc/extras.py",
                "                if self._is_one(extra, other):\n",
                "                if extra == other:\n",
            ),
        ),
        ("proc/test_extras.py::test_an_extra_that_is_a_name_of_the_source_is_found",),
    ),
)
