"""Proof, versions, whole objects and lost answers, taken away one by one (R1, R5 - R9)."""

from __future__ import annotations

from tests.kit.sabotage import Edit
from tests.kit.sabotage import Sabotage

_BODIES = "faults/test_faults_bodies.py::"
_REFUSALS = "faults/test_faults_refusals.py::"
_SMALL = "faults/test_faults_small.py::"
_UNPROVEN = "faults/test_faults_unproven.py::"
_VERSIONS = "faults/test_faults_versions.py::"

_PROOF = (
    Sabotage(
        "the checksum of a download is not compared",
        "R1",
        (Edit("io/sinks.py", "if self._wanted and value != self._wanted:", "if False:"),),
        (_BODIES + "test_b5_a_flipped_bit_for_ever_is_an_integrity_failure[whole]",),
    ),
    Sabotage(
        "the combined checksum of ranges is not compared",
        "R1",
        (Edit("io/proof.py", "    if wanted != found:\n", "    if False:\n"),),
        (_BODIES + "test_b5_a_flipped_bit_for_ever_is_an_integrity_failure[ranges]",),
    ),
    Sabotage(
        "the ETag of a multipart object is no proof any more",
        "R1",
        (Edit("io/proof.py", "    if not count:\n        return Verified.SIZE\n", "    return Verified.SIZE\n"),),
        (_BODIES + "test_b6_a_flipped_bit_of_an_object_of_parts_is_seen[ETag of parts]",),
    ),
    Sabotage(
        "a checksum that only HEAD shows is not asked for",
        "R1",
        (
            Edit(
                "io/download.py",
                "if facts is not None and facts.etag == sink.facts.etag:",
                "if False:",
            ),
            Edit(
                "io/download.py",
                "    stored = facts.checksum\n    return Begun(",
                "    stored = None\n    return Begun(",
            ),
        ),
        (_BODIES + "test_b6_a_checksum_that_only_head_shows_is_used[whole]",),
    ),
    Sabotage(
        "a download without proof is called verified",
        "R1",
        (
            Edit(
                "io/sinks.py",
                'self._hasher, self._wanted, self._promise = None, "", Verified.SIZE',
                'self._hasher, self._wanted, self._promise = None, "", Verified.CHECKSUM',
            ),
        ),
        (_BODIES + "test_b6_what_cannot_be_proven_is_said_to_be_unproven[whole]",),
    ),
    Sabotage(
        "require-verify is not asked about",
        "R1",
        (Edit("io/transfer.py", "if around.settings.transfer.require_verify and", "if False and"),),
        (_BODIES + "test_b6_require_verify_fails_what_cannot_be_proven[whole]",),
    ),
    Sabotage(
        "the echoed checksum of an upload is not compared",
        "R1",
        (Edit("io/transfer.py", "            if replied.value == sent.value:\n", "            if replied.value:\n"),),
        (_BODIES + "test_b13_other_bytes_stored_are_an_integrity_failure[checksum-streamed]",),
    ),
    Sabotage(
        "the ETag of an upload is not compared",
        "R1",
        (Edit("io/upload.py", "    if ours != stored.etag:\n", "    if False:\n"),),
        ("faults/test_faults_responses.py::test_a8_another_etag_is_an_integrity_failure",),
    ),
    Sabotage(
        "an upload announces no checksum",
        "R1",
        (
            Edit(
                "io/upload.py",
                "        if step.has_checksum:\n            return (), self.sent\n",
                "        if step.has_checksum:\n            return (), None\n",
            ),
        ),
        (_BODIES + "test_b12_an_upload_damaged_on_the_way_is_sent_again[unsigned-streamed]",),
    ),
    Sabotage(
        "fewer bytes than announced are good enough",
        "R1",
        (Edit("io/sinks.py", "if 0 <= self._length != self._position:", "if False:"),),
        (_UNPROVEN + "test_b3_b4_another_length_is_not_the_object[fewer in chunks-whole]",),
    ),
    Sabotage(
        "bytes beyond the length are written",
        "R1",
        (
            Edit("io/sinks.py", "if 0 <= self._length < self._position + count:", "if False:"),
            Edit("io/sinks.py", "if 0 <= self._length != self._position:", "if self._position < self._length:"),
        ),
        (_UNPROVEN + "test_b3_b4_another_length_is_not_the_object[more in chunks-whole]",),
    ),
)

_VERSION = (
    Sabotage(
        "ranges are asked for without If-Match",
        "R5",
        (Edit("io/download.py", "            if_match=expected.etag,\n", '            if_match="",\n'),),
        (_BODIES + "test_b1_a_broken_body_goes_on_where_it_ended",),
    ),
    Sabotage(
        "the version of an answer is not compared",
        "R5",
        (Edit("io/sinks.py", "if not wanted or facts.etag == wanted:", "if facts.etag:"),),
        (_UNPROVEN + "test_v1_versions_are_not_mixed[0]",),
    ),
    Sabotage(
        "the size of the whole object is not compared",
        "R5",
        (Edit("io/sinks.py", "if given.total != expected.total >= 0:", "if False:"),),
        ("io/test_sinks.py::test_only_the_range_that_was_asked_for_is_taken",),
    ),
    Sabotage(
        "Content-Range is not looked at",
        "R5",
        (
            Edit(
                "io/sinks.py",
                "        if (given.first, given.last) != (expected.first, last):\n",
                "        if False:\n",
            ),
        ),
        (_UNPROVEN + "test_b9_bytes_of_another_range_for_ever_fail",),
    ),
    Sabotage(
        "a whole object is written at a range's place",
        "R5",
        (
            Edit(
                "io/sinks.py",
                '        if status == 200 and "content-range" not in headers:\n            raise RangeIgnored(',
                '        if "content-range" not in headers:\n            return\n        if False:\n'
                "            raise RangeIgnored(",
            ),
            Edit("io/sinks.py", "if length >= 0 and wanted >= 0 and length != wanted:", "if False:"),
            Edit("io/sinks.py", "if 0 <= self._length < self._position + count:", "if False:"),
            Edit("io/sinks.py", "if 0 <= self._length != self._position:", "if False:"),
        ),
        (_UNPROVEN + "test_b8_a_range_that_is_ignored_is_not_written",),
    ),
    Sabotage(
        "a piece that a stream has passed gets the bytes behind it",
        "R5",
        (Edit("io/pour.py", "        if before < 0:\n", "        if False:\n"),),
        ("io/test_pour.py::test_a_piece_that_has_passed_is_never_filled_with_other_bytes",),
    ),
    Sabotage(
        "what a stream that begins again had brought before comes twice",
        "R5",
        (
            Edit("io/pour.py", "self._scratch[:before] if before else", "self._scratch[:before] if False else"),
            Edit("io/pour.py", "        elif self._next_wanted() == self._position:\n", "        else:\n"),
        ),
        ("io/test_pour.py::test_a_stream_that_begins_again_passes_over_what_was_taken",),
    ),
    Sabotage(
        "a stream is read whether or not there is room",
        "R5",
        (Edit("io/pour.py", "if self._pouring.pieces or self._pouring.is_stopped:\n", "if True:\n"),),
        ("io/test_pour.py::test_it_waits_while_nobody_wants_more",),
    ),
    Sabotage(
        "pieces of a stream are asked of any worker",
        "R5",
        (Edit("core/ledger.py", "self._streams.get(order.stream, worker)", "worker"),),
        (
            "core/test_ledger.py::test_pieces_of_a_stream_go_to_the_worker_that_has_it",
            "core/test_ledger.py::test_pieces_of_a_stream_stay_with_it_whoever_comes_and_goes",
        ),
    ),
    Sabotage(
        "a stream is over before what came with its end is taken",
        "R5",
        (Edit("io/pour.py", "if sink.has_spare:", "if False:"),),
        ("io/test_pour.py::test_an_end_that_comes_before_the_last_bytes_are_wanted",),
    ),
    Sabotage(
        "a body is continued whatever its version",
        "R5",
        (Edit("io/sinks.py", "is_kept = bool(self._expected.etag) and not", "is_kept = not"),),
        ("io/test_download.py::test_an_object_of_no_known_version_is_never_pieced_together",),
    ),
    Sabotage(
        "the rest of a body may be of another size",
        "R5",
        (
            Edit("io/sinks.py", "return is_rest and self.facts.size in {-1, given.total}", "return is_rest"),
            Edit("io/sinks.py", "if not wanted or facts.etag == wanted:", "if facts.etag:"),
        ),
        ("io/test_sinks.py::test_what_is_not_the_rest_is_refused_and_the_next_try_begins_anew",),
    ),
    Sabotage(
        "a file that changed while it was sent is a success",
        "R6",
        (
            Edit(
                "io/upload.py",
                "                source.check_unchanged()\n                size = source.size\n",
                "                size = source.size\n",
            ),
        ),
        ("io/test_upload.py::test_a_file_that_changes_under_way_is_no_success",),
    ),
    Sabotage(
        "a file that changed once is given up",
        "R6",
        (Edit("io/upload.py", "CHANGES: Final = 3\n", "CHANGES: Final = 1\n"),),
        ("io/test_upload.py::test_a_file_that_changed_once_is_uploaded_as_it_is_then",),
    ),
    Sabotage(
        "a large file that changed once is given up",
        "R6",
        (Edit("core/shared.py", "frozenset({_CHANGED, ", "frozenset({"),),
        ("core/test_shared.py::test_an_object_that_was_replaced_under_way_starts_over",),
    ),
    Sabotage(
        "a file that changed is sent as long as it was",
        "R6",
        (
            Edit(
                "io/upload.py",
                "        size=size if has_changed else -1,\n",
                "",
            ),
        ),
        ("faults/test_faults_sources.py::test_d1_a_file_that_grows_is_uploaded_anew[parts, first on its way]",),
    ),
    Sabotage(
        "parts are read from whatever file has the name",
        "R6",
        (Edit("io/sources.py", "if expected is not None and source.fingerprint != tuple(expected):", "if False:"),),
        (
            "io/test_sources.py::test_another_version_is_refused",
            "io/test_upload_parts.py::test_a_part_of_a_file_that_is_another_one_now_is_not_sent",
        ),
    ),
    Sabotage(
        "a source's time of change is not looked at",
        "R6",
        (
            Edit(
                "io/sources.py",
                "facts.st_size, held(facts.st_mtime_ns), held(facts.st_ctime_ns))",
                "facts.st_size, held(0), held(0))",
            ),
        ),
        ("io/test_sources.py::test_any_change_is_noticed",),
    ),
    Sabotage(
        "what is sent is not what was announced",
        "R6",
        (Edit("io/bodies.py", "self._hasher.value() != self._checksum.value:", "self._hasher is None:"),),
        ("io/test_bodies.py::test_bytes_that_changed_since_they_were_announced_do_not_end",),
    ),
)

_MEMORY = (
    Sabotage(
        "a slot is free while somebody still reads it",
        "R7",
        (Edit("proc/slots.py", "if sys.getrefcount(self._exporters[number]) != self._idle_references:", "if False:"),),
        ("proc/test_slots.py::test_a_slot_somebody_still_reads_is_not_handed_out",),
    ),
    Sabotage(
        "an exchange ends while the transport holds its body",
        "R7",
        (Edit("io/connection.py", "if self._body is None or not self._is_held():", "if True:"),),
        ("io/test_connection.py::test_a_success_ends_only_when_the_body_is_let_go",),
    ),
    Sabotage(
        "what failed keeps its bytes until cycles are looked for",
        "R7",
        (
            Edit(
                "io/run.py",
                "            _forget_frames(error)\n            self._end(error)",
                "            self._end(error)",
            ),
        ),
        ("io/test_cycles.py::test_nothing_of_a_small_object_stays[UPLOAD-beside it]",),
    ),
    Sabotage(
        "a small object that was taken over keeps its bytes",
        "R7",
        (
            Edit(
                "io/parcels.py",
                "        self._first = self._parcel = None\n        return first",
                "        return first",
            ),
        ),
        ("io/test_cycles.py::test_nothing_of_a_small_object_stays[UPLOAD-on the lane]",),
    ),
    Sabotage(
        "a write that is late is made again",
        "R6",
        (Edit("io/connection.py", "_READS = frozenset({", '_READS = frozenset({"PutObject", '),),
        ("io/test_late_answers.py::test_nothing_else_is_made_again",),
    ),
    Sabotage(
        "memory is free before the broken connection is",
        "R7",
        (
            Edit(
                "io/connection.py",
                "    if had_body:\n        loop.call_soon(exchange.end)\n",
                "    if False:\n        pass\n",
            ),
        ),
        ("io/test_connection.py::test_memory_of_a_body_is_free_a_turn_after_the_connection",),
    ),
)

_WHOLE = (
    Sabotage(
        "an upload is completed with a part missing",
        "R8",
        (
            Edit(
                "core/shared.py",
                "return self.layout.is_whole and len(self.landed) == self.layout.count",
                "return self.layout.is_whole and len(self.landed) == max(1, self.layout.count - 1)",
            ),
        ),
        ("core/test_ledger.py::test_finish_carries_every_part_in_order",),
    ),
    Sabotage(
        "what has been passed on to stdout is not compared at its end",
        "R8",
        (Edit("core/running.py", "if found != self._wanted:", "if not found:"),),
        ("core/test_running.py::test_one_wrong_byte_is_found",),
    ),
    Sabotage(
        "a stream's memory is used again while a part is sent from it",
        "R8",
        (Edit("core/ring.py", "while self._pieces and self._pieces[0].is_free:", "while self._pieces:"),),
        ("core/test_ring.py::test_a_piece_that_comes_back_early_waits_for_those_before_it",),
    ),
    Sabotage(
        "a relay does not compare what it has read with its source",
        "R8",
        (Edit("io/relay.py", "if value != stored.value:", "if not value:"),),
        ("e2e/test_relay.py::test_a_source_that_is_not_what_its_service_states",),
    ),
    Sabotage(
        "parts are listed in the order in which they landed",
        "R8",
        (
            Edit(
                "core/shared.py",
                "shared.landed[number] for number in sorted(shared.landed)",
                "shared.landed[number] for number in shared.landed",
            ),
        ),
        ("core/test_ledger.py::test_finish_carries_every_part_in_order",),
    ),
    Sabotage(
        "the checksum of the completed object is not compared",
        "R8",
        (
            Edit(
                "io/upload.py",
                "    verified = around.proof(item.key, whole, facts.checksum)\n    if verified is None:\n",
                "    verified = None\n    if verified is None:\n",
            ),
        ),
        (_BODIES + "test_b13_a_complete_that_names_another_checksum_is_an_integrity_failure",),
    ),
    Sabotage(
        "a failed upload is not aborted",
        "R8",
        (
            Edit(
                "io/upload.py",
                "        yield Call(request=encode.abort_multipart_upload(",
                "        yield from ()\n        Call(request=encode.abort_multipart_upload(",
            ),
        ),
        ("faults/test_faults_responses.py::test_a2_an_error_inside_200_that_stays_fails_and_aborts",),
    ),
    Sabotage(
        "an upload is aborted while a part is on its way",
        "R8",
        (Edit("core/shared.py", "        if shared.moving:\n            return\n", ""),),
        ("core/test_ledger.py::test_a_failed_part_recalls_the_others_and_abandons_when_they_are_quiet",),
    ),
    Sabotage(
        "no-clobber writes without a condition",
        "R8",
        (Edit("io/upload.py", "if_none_match=step.has_condition\n", "if_none_match=False\n"),),
        (_REFUSALS + "test_a18_an_object_that_appears_meanwhile_is_not_clobbered",),
    ),
    Sabotage(
        "nobody looks for the object of a lost completion",
        "R9",
        (Edit("io/upload.py", "        found = yield from own_object(around, order)\n", "        found = None\n"),),
        (_REFUSALS + "test_a22_a_lost_answer_to_complete_is_resolved[reset]",),
    ),
    Sabotage(
        "any object is taken for that of a lost completion",
        "R9",
        (
            Edit(
                "io/upload.py", "return facts if facts is not None and _is_ours(order, facts) else None", "return facts"
            ),
        ),
        (_REFUSALS + "test_a22_an_object_of_somebody_else_is_no_proof",),
    ),
    Sabotage(
        "any object is taken for that of a lost conditional PUT",
        "R9",
        (Edit("io/upload.py", "    if _echoed(reply, sent.algorithm) != sent:\n", "    if False:\n"),),
        ("io/test_upload.py::test_a_refusal_after_a_lost_answer_may_be_about_our_own_object",),
    ),
)

_SMALL_ONES = (
    Sabotage(
        "the checksum of a small download is not compared",
        "R1",
        (Edit("io/parcels.py", "new_sum(algorithm)(body) == text", "bool(text)"),),
        (_SMALL + "test_b5_one_bad_download_among_good_ones_fails_alone[flipped]",),
    ),
    Sabotage(
        "the MD5 of a small download is not compared",
        "R1",
        (Edit("io/parcels.py", "hashlib.md5(body, usedforsecurity=False).hexdigest() == tag", "bool(tag)"),),
        (_SMALL + "test_b5_a_flipped_bit_is_seen_by_the_etag_too",),
    ),
    Sabotage(
        "the version of a small download is not compared",
        "R5",
        (Edit("io/parcels.py", 'or tag[1:-1] != item.etag.encode("ascii")', "or not tag"),),
        (_SMALL + "test_b5_one_bad_download_among_good_ones_fails_alone[other version]",),
    ),
    Sabotage(
        "a small download may be of another size",
        "R1",
        (
            Edit("io/parcels.py", "is_other = int(length) != item.size or", "is_other = not length or"),
            Edit("io/parcels.py", "missing = end + item.size - size", "missing = end + int(length) - size"),
            Edit("io/parcels.py", "new_sum(algorithm)(body) == text", "bool(text)"),
        ),
        (_SMALL + "test_b5_one_bad_download_among_good_ones_fails_alone[fewer]",),
    ),
    Sabotage(
        "the echoed checksum of a small upload is not compared",
        "R1",
        (Edit("io/parcels.py", "and value == self.sum.encode():", "and value:"),),
        (_SMALL + "test_b13_one_file_that_is_stored_damaged_is_seen[checksum]",),
    ),
    Sabotage(
        "a small file that changed while it was read is sent",
        "R6",
        (Edit("io/lane.py", "        return data if is_same else None", "        return data"),),
        ("io/test_lane.py::test_a_file_that_changes_under_the_reader_is_not_sent",),
    ),
)

SABOTAGES = (*_PROOF, *_VERSION, *_MEMORY, *_WHOLE, *_SMALL_ONES)
