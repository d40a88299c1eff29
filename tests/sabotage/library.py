"""What the library promises, taken away piece by piece: proofs, versions, cleaning up, memory, secrets."""

from __future__ import annotations

from tests.kit.sabotage import Edit
from tests.kit.sabotage import Sabotage

_CANCEL = "client/test_library_cancel.py::test_a_cancelled_call_leaves_nothing"
_FILES = "client/test_library_files.py::"
_RESUME = "client/test_library_resume.py::"
_STREAMS = "client/test_library_streams.py::"

SABOTAGES = (
    Sabotage(
        "the library: a stream ends before it is proven",
        "R1",
        (Edit("client/stream_download.py", "if number == layout.count and self._wanted.is_whole:", "if False:"),),
        (_STREAMS + "test_the_last_bytes_are_given_out_when_all_are_proven",),
    ),
    Sabotage(
        "the library: ranges of a stream are pinned to no version",
        "R5",
        (
            Edit(
                "client/stream_download.py",
                "begun = Begun(item=item.number, etag=item.etag,",
                "begun = Begun(item=item.number,",
            ),
        ),
        (_STREAMS + "test_an_object_that_is_replaced_under_a_stream_ends_it",),
    ),
    Sabotage(
        "the library: what was kept of a download is believed",
        "R4",
        (
            Edit(
                "client/resumable_download.py",
                'replace(begun, algorithm="")',
                'replace(begun, algorithm="", checksum=None, etag="opaque")',
            ),
        ),
        (_RESUME + "test_what_was_kept_is_not_believed",),
    ),
    Sabotage(
        "the library: an upload goes on with another file",
        "R6",
        (Edit("client/resumable_upload.py", "if state.fingerprint != fingerprint or", "if"),),
        (_RESUME + "test_a_source_that_changed_starts_over",),
    ),
    Sabotage(
        "the library: an upload that fails is not aborted",
        "R8",
        (
            Edit(
                "client/transfers.py",
                "        except BaseException:\n            await parts.abandon()\n            raise\n    raise",
                "        except ZeroDivisionError:\n            raise\n    raise",
            ),
        ),
        (_FILES + "test_an_upload_that_fails_is_aborted",),
    ),
    Sabotage(
        "the library: an upload that is cancelled while it begins is forgotten",
        "R8",
        (Edit("client/transfers.py", "        wish.is_given_up = True\n", "        wish.is_given_up = False\n"),),
        (_CANCEL + "[upload_file in parts-CreateMultipartUpload-is_after]",),
    ),
    Sabotage(
        "the library: a client that closes does not wait for what cleans up",
        "R8",
        (Edit("client/session.py", "                if self._undertaken:\n", "                if False:\n"),),
        ("client/test_library_cancel.py::test_closing_the_client_ends_what_is_under_way",),
    ),
    Sabotage(
        "the library: flows go on when their task is cancelled",
        "R10",
        (
            Edit(
                "client/session.py",
                "        except asyncio.CancelledError:\n            await running.end()\n            raise\n",
                "        except asyncio.CancelledError:\n            raise\n",
            ),
        ),
        (_CANCEL + "[download_bytes-GetObject-before]",),
    ),
    Sabotage(
        "the library: chunks of a stream are kept until the collector comes",
        "R7",
        (
            Edit(
                "client/session.py",
                "        self._handle = None  # a circle",
                "        pass  # a circle",
            ),
        ),
        (_STREAMS + "test_streams_stay_within_the_memory_that_was_allowed",),
    ),
    Sabotage(
        "the engine: its process outlives the program",
        "R8",
        (Edit("client/engine_process.py", "    die_with(order.parent, signal.SIGTERM)\n", ""),),
        ("client/test_library_engine.py::test_a_plain_script_and_its_end",),
    ),
    Sabotage(
        "the engine: a process that dies is a job that is done",
        "R3",
        (
            Edit(
                "client/engine_job.py",
                "            self._error = EngineLost(f\"the engine's process ended",
                "            print(f\"the engine's process ended",
            ),
        ),
        ("client/test_library_engine.py::test_a_process_that_is_killed_is_an_error",),
    ),
    Sabotage(
        "fsspec: an open file is a mixture of versions",
        "R5",
        (Edit("client/fsspec_file.py", 'etag=info["ETag"],', 'etag="",'),),
        ("client/test_fsspec_filesystem.py::test_a_file_that_is_replaced_while_it_is_read_is_an_error",),
    ),
    Sabotage(
        "the library: a configuration shows its secret",
        "R12",
        (
            Edit(
                "client/config.py",
                'secret_key: str = field(default="", kw_only=True, repr=False)',
                'secret_key: str = field(default="", kw_only=True)',
            ),
        ),
        ("client/test_library_config.py::test_no_secret_is_shown",),
    ),
    Sabotage(
        "the library: a rename does not look at its source again",
        "R17",
        (
            Edit("client/files.py", "finish_move(place.around, item, begun, _ended(ending))", "_gone(found)"),
            Edit(
                "client/files.py",
                "def _ended(ending: Ending)",
                "def _gone(item: Item) -> Flow[None]:\n"
                "    yield Call(request=encode.delete_object(item.key), site=item.site)\n\n\n"
                "def _ended(ending: Ending)",
            ),
        ),
        (_FILES + "test_a_rename_that_cannot_be_leaves_both",),
    ),
)
