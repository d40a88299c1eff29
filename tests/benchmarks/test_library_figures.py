"""The library's benchmark: what it measures can be measured, and its table says who is ahead."""

from __future__ import annotations

from benchmarks import library
from benchmarks.peers import library_calls

TAKEN = {
    "orbit": [
        {"cpu_s": 50e-6, "wall_s": 80e-6, "peak_bytes": 3 << 20},
        {"cpu_s": 70e-6, "wall_s": 1e-4, "peak_bytes": 1},
    ],
    "other": [{"cpu_s": 0.0012, "wall_s": 0.002, "peak_bytes": 9 << 20}],
}


def test_every_call_is_one_that_every_client_knows():
    """By name; and every client has a package that is looked for."""
    assert {call.name for call in library.CALLS} == set(library_calls.SIZES)
    assert set(library.PACKAGES) == set(library_calls.CLIENTS)


def test_the_table():
    """Medians, ranges, and the ratio to this library."""
    section = library.section(library.CALLS[0], TAKEN).splitlines()
    assert section[4] == "| **orbit** | 60 µs | 50 µs to 70 µs | 1.00 | 90 µs | 3 MiB |"
    assert section[5] == "| other | 1.2 ms | 1.2 ms to 1.2 ms | 20.00 | 2.0 ms | 9 MiB |"
    page = library.page({"orbit": "1", "other": "2"}, {"get-16k": TAKEN}, 2)
    assert "orbit 1, other 2" in page
    assert "medians of 2 interleaved rounds" in page


def test_who_is_ahead():
    """Nobody, or whoever needs less."""
    assert library.behind(library.CALLS[0], TAKEN) == []
    quick = {**TAKEN, "quick": [{"cpu_s": 1e-6, "wall_s": 1.0, "peak_bytes": 1}]}
    assert library.behind(library.CALLS[0], quick) == ["GET 16 KiB: quick"]
