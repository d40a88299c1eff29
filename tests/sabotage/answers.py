"""Positive answers, whole listings, ends, redirects and bounds, taken away one by one (R2, R3, R10, R13, R14)."""

from __future__ import annotations

from tests.kit.sabotage import Edit
from tests.kit.sabotage import Sabotage

_RESPONSES = "faults/test_faults_responses.py::"
_REFUSALS = "faults/test_faults_refusals.py::"
_TRANSPORT = "faults/test_faults_transport.py::"
_LISTING = "faults/test_faults_listing.py::"
_BODIES = "faults/test_faults_bodies.py::"

_FOLLOW = """        where = exchange.head.headers.get("location", "") if exchange.head is not None else ""
        if isinstance(failure, RedirectRefused) and where and self._site is not None:
            from msgspec.structs import replace
            host, _, port = where.split("/")[2].partition(":")
            endpoint = replace(self._site.endpoint, host=host, port=int(port or 80))
            self._client.set_site(replace(self._site, endpoint=endpoint))
            self._send_again()
            return
        self._wait_or_throw(failure, was_sent=exchange.was_sent)
"""

_POSITIVE = (
    Sabotage(
        "an error inside 200 is a success",
        "R2",
        (
            Edit("core/decode_errors.py", "    root = _MUST_ANSWER.get(request.operation)\n", "    return None\n"),
            Edit(
                "core/decode.py",
                '    root = success_document(reply, operation, "CompleteMultipartUploadResult")\n'
                "    etag = _document_etag(root, operation)\n",
                '    from orbit_fast.core.xml import Element\n\n    root = Element("")\n    etag = "x"\n',
            ),
        ),
        (_RESPONSES + "test_a2_a_permanent_error_inside_200_is_not_tried_again",),
    ),
    Sabotage(
        "an empty answer to Complete is a success",
        "R2",
        (
            Edit(
                "core/decode_errors.py",
                "    try:\n        element = _document(reply, request.operation)\n",
                "    if not reply.body:\n        return None\n    try:\n"
                "        element = _document(reply, request.operation)\n",
            ),
            Edit(
                "core/decode.py",
                '    operation = "CompleteMultipartUpload"\n',
                '    operation = "CompleteMultipartUpload"\n    if not reply.body:\n'
                '        return Uploaded(etag="x")\n',
            ),
        ),
        (_RESPONSES + "test_a4_only_empty_answers_to_complete_fail",),
    ),
    Sabotage(
        "a copy without its result is a success",
        "R2",
        (
            Edit("core/decode_errors.py", '    "CopyObject": "CopyObjectResult",\n', ""),
            Edit(
                "core/decode.py",
                '    operation = "CopyObject"\n',
                '    operation = "CopyObject"\n    if b"CopyObjectResult" not in reply.body:\n'
                '        return Copied(etag="x")\n',
            ),
        ),
        (_RESPONSES + "test_a3_a_copy_without_its_result_is_no_success[]",),
    ),
    Sabotage(
        "a web page is a good answer to an upload",
        "R2",
        (
            Edit(
                "core/decode.py",
                '    if is_html(reply.body):\n        raise NotS3(f"{operation}: the answer is a web page',
                '    if False:\n        raise NotS3(f"{operation}: the answer is a web page',
            ),
            Edit(
                "core/decode_errors.py",
                'if root is None and b"<Error" not in start and not is_html(start):',
                'if root is None and b"<Error" not in start:',
            ),
        ),
        (_RESPONSES + "test_a5_a_web_page_is_no_success_of_an_upload[PutObject]",),
    ),
    Sabotage(
        "an upload needs no ETag in its answer",
        "R2",
        (
            Edit(
                "core/decode.py",
                '    if not etag:\n        raise BadReply(f"{operation}: the service answered',
                '    if False:\n        raise BadReply(f"{operation}: the service answered',
            ),
        ),
        (_RESPONSES + "test_a7_answers_without_etag_fail[PutObject]",),
    ),
    Sabotage(
        "an upload needs no id",
        "R2",
        (
            Edit(
                "core/decode.py",
                '    if not text:\n        raise BadReply(f"{operation}: the service left {name} out',
                '    if False:\n        raise BadReply(f"{operation}: the service left {name} out',
            ),
        ),
        ("core/test_decode.py::test_mandatory_children",),
    ),
    Sabotage(
        "the header ladder is gone down for a wrong checksum",
        "R2",
        (
            Edit(
                "core/decode_errors.py",
                "    if told.status != 400 or told.element is None or _CLASS_OF_CODE.get(told.code) is BadDigest:\n",
                '    if told.code == "BadDigest" and sent:\n        return True\n'
                "    if told.status != 400 or told.element is None:\n",
            ),
        ),
        (_BODIES + "test_b12_an_upload_always_damaged_on_the_way_fails[unsigned-streamed]",),
    ),
)

_LISTINGS = (
    Sabotage(
        "a web page is an empty listing",
        "R3",
        (
            Edit(
                "core/decode_errors.py",
                'if root is None and b"<Error" not in start and not is_html(start):',
                'if root is None and b"<Error" not in start:',
            ),
            Edit(
                "core/decode_listing.py",
                '    page = _page(reply, "ListObjectsV2")\n',
                '    if b"<html" in reply.body:\n        return Listing(entries=())\n'
                '    page = _page(reply, "ListObjectsV2")\n',
            ),
        ),
        (_LISTING + "test_l2_an_answer_without_a_listing_is_no_empty_listing[html-1]",),
    ),
    Sabotage(
        "nothing is an empty listing",
        "R3",
        (
            Edit(
                "core/decode_listing.py",
                '    page = _page(reply, "ListObjectsV2")\n',
                "    if not reply.body:\n        return Listing(entries=())\n"
                '    page = _page(reply, "ListObjectsV2")\n',
            ),
        ),
        (_LISTING + "test_l2_an_answer_without_a_listing_is_no_empty_listing[nothing-3]",),
    ),
    Sabotage(
        "a truncated page without a token is the last one",
        "R3",
        (
            Edit(
                "core/decode_listing.py",
                "        if is_truncated and not next_token:\n",
                "        is_truncated = is_truncated and bool(next_token)\n        if False:\n",
            ),
        ),
        (_LISTING + "test_l3_more_without_a_token_is_no_whole_listing",),
    ),
    Sabotage(
        "keys outside the prefix are listed",
        "R3",
        (Edit("core/decode_listing.py", "        if not name.startswith(prefix):\n", "        if False:\n"),),
        (_LISTING + "test_l5_a_page_that_contradicts_itself_is_no_listing[outside]",),
    ),
    Sabotage(
        "keys may come twice, and in any order",
        "R3",
        (Edit("core/decode_listing.py", "        if name <= after:\n", "        if False:\n"),),
        (_LISTING + "test_l5_a_page_that_contradicts_itself_is_no_listing[order]",),
    ),
    Sabotage(
        "pages that lead back go on for ever",
        "R3",
        (Edit("core/decode_listing.py", "        if token in self._tokens:\n", "        if False:\n"),),
        ("core/test_directory_buckets.py::test_a_way_through_pages_never_leads_back",),
    ),
    Sabotage(
        "what looks like an MD5 is one, in every bucket",
        "R3",
        (Edit("io/reader.py", "        if exchange.is_of_directory:\n", "        if False:\n"),),
        ("io/test_sessions.py::test_an_etag_that_comes_from_there_proves_nothing",),
    ),
    Sabotage(
        "a cut document is read as far as it goes",
        "R3",
        (Edit("core/xml.py", "        parser.Parse(data, True)", "        parser.Parse(data, False)"),),
        ("core/test_xml.py::test_everything_else_is_a_bad_reply",),
    ),
)

_ENDS = (
    Sabotage(
        "a permanent error is tried again",
        "R10",
        (
            Edit(
                "core/retry.py",
                "        return allowed\n    return 1\n",
                "        return allowed\n    return allowed\n",
            ),
        ),
        (_RESPONSES + "test_a2_a_permanent_error_inside_200_is_not_tried_again",),
    ),
    Sabotage(
        "tries are not counted",
        "R10",
        (
            Edit(
                "core/retry.py",
                "if tried.attempt >= limits.attempts or tried.alike >= worth:",
                "if tried.alike >= worth + 3:",
            ),
        ),
        ("core/test_retry.py::test_the_users_limit_is_never_exceeded",),
    ),
    Sabotage(
        "there is no limit to the time of retries",
        "R10",
        (Edit("core/retry.py", "if tried.elapsed_s + after_s >= limits.total_s:", "if False:"),),
        ("core/test_retry.py::test_ten_minutes_are_the_end",),
    ),
    Sabotage(
        "a stalled connection is waited for",
        "R10",
        (Edit("io/pace.py", "        if now_s - self._moved_s > self._idle_s:\n", "        if False:\n"),),
        ("io/test_pace.py::test_when_an_exchange_is_given_up",),
    ),
    Sabotage(
        "a trickle is waited for",
        "R10",
        (
            Edit(
                "io/pace.py",
                "        return self._bytes - before < MIN_BYTES_A_SECOND * (now_s - since_s)",
                "        return False",
            ),
        ),
        ("io/test_pace.py::test_when_an_exchange_is_given_up",),
    ),
    Sabotage(
        "the same page may come for ever",
        "R10",
        (Edit("core/decode_listing.py", "    if token and listing.next_token == token:\n", "    if False:\n"),),
        ("core/test_decode_listing.py::test_check_page_refuses",),
    ),
    Sabotage(
        "a body that is too short is asked for without end",
        "R10",
        (Edit("core/retry.py", "    (SizeMismatch, 2),\n", ""),),
        ("core/test_retry.py::test_every_class_has_its_number_of_tries",),
    ),
)

_WANDERING = (
    Sabotage(
        "redirects are followed",
        "R13",
        (
            Edit("io/run.py", "        self._wait_or_throw(failure, was_sent=exchange.was_sent)\n", _FOLLOW),
            Edit(
                "io/run.py",
                "from orbit_fast.core.errors import RateLimitExceeded\n",
                "from orbit_fast.core.errors import RateLimitExceeded\n"
                "from orbit_fast.core.errors import RedirectRefused\n",
            ),
        ),
        ("io/test_client_repairs.py::test_a_redirect_is_never_followed",),
    ),
    Sabotage(
        "certificates are not looked at",
        "R13",
        (
            Edit(
                "proc/worker.py",
                "return Trust(ca_bundle=ca_bundle, verify=client.verify_ssl)",
                "return Trust(verify=False)",
            ),
        ),
        (_TRANSPORT + "test_c7_what_is_not_trusted_is_not_spoken_to[unknown authority]",),
    ),
    Sabotage(
        "a key can end a line of a request",
        "R13",
        (Edit("core/http1.py", "    if _REFUSED_IN_VALUE.search(value):\n", "    if False:\n"),),
        ("core/test_http1.py::test_header_values_cannot_end_a_line",),
    ),
)

_BOUNDS = (
    Sabotage(
        "heads may be of any size",
        "R14",
        (
            Edit("io/reader.py", "        if len(rest) > MAX_HEAD_BYTES:\n", "        if False:\n"),
            Edit("core/http1.py", "    if len(data) > MAX_HEAD_BYTES:\n", "    if False:\n"),
        ),
        (_TRANSPORT + "test_c9_answers_without_bound_are_cut_off[a header of 1 MiB]",),
    ),
    Sabotage(
        "heads may have any number of lines",
        "R14",
        (Edit("core/http1.py", "    if len(broken) > MAX_HEAD_FIELDS + 1:\n", "    if False:\n"),),
        ("core/test_http1_replies.py::test_the_number_of_fields_is_bounded",),
    ),
    Sabotage(
        "interim answers are read for ever",
        "R14",
        (Edit("io/reader.py", "            if self._interim > MAX_INTERIM_REPLIES:\n", "            if False:\n"),),
        ("io/test_reader.py::test_what_is_no_reply_is_refused",),
    ),
    Sabotage(
        "Content-Length beside Transfer-Encoding is accepted",
        "R14",
        (
            Edit(
                "core/http1.py",
                "        if stated is not None:\n            raise refused(",
                "        if False:\n            raise refused(",
            ),
        ),
        ("core/test_http1_replies.py::test_what_is_not_http_or_can_be_read_in_two_ways_is_refused",),
    ),
    Sabotage(
        "of two lengths the first counts",
        "R14",
        (Edit("core/http1.py", "        if len(lengths) > 1:\n", "        if False:\n"),),
        ("core/test_http1_replies.py::test_what_is_not_http_or_can_be_read_in_two_ways_is_refused",),
    ),
    Sabotage(
        "where a head ends follows from how it arrives",
        "R14",
        (Edit("core/http1.py", "end if at < 0 else at + 1)", "end if at < 0 else at)"),),
        ("fuzz/test_fuzz_targets.py::test_the_corpus_of_each_target_is_replayed[head]",),
    ),
    Sabotage(
        "times are taken that no message carries",
        "R14",
        (Edit("core/moments.py", "if -LAST_NS <= time_ns <= LAST_NS:", "if True:"),),
        ("fuzz/test_fuzz_targets.py::test_the_corpus_of_each_target_is_replayed[listing]",),
    ),
    Sabotage(
        "documents may define entities",
        "R14",
        (Edit("core/xml.py", "    parser.StartDoctypeDeclHandler = _refuse_doctype\n", ""),),
        ("core/test_xml.py::test_everything_else_is_a_bad_reply",),
    ),
    Sabotage(
        "documents may be of any depth",
        "R14",
        (Edit("core/xml.py", "if len(self.open) >= MAX_XML_DEPTH or self.count > MAX_ELEMENTS:", "if False:"),),
        ("core/test_xml.py::test_everything_else_is_a_bad_reply",),
    ),
)

SABOTAGES = (*_POSITIVE, *_LISTINGS, *_ENDS, *_WANDERING, *_BOUNDS)
