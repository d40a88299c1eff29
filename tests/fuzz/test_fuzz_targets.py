"""Every parser of bytes from outside keeps its promises: on its corpus, on what is near it, and on any bytes at all."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tests.fuzz.targets import CORPUS
from tests.fuzz.targets import TARGETS
from tests.fuzz.targets import corpus_of

SEEDS = {name: [path.read_bytes() for path in corpus_of(name)] for name in TARGETS}
TELLING = [b"\0", b"\xff", b"\r\n", b"\n", b" ", b"<", b">", b"&", b'"', b"/", b"..", b"-", b"0", b"9" * 10, b"%", b":"]
SMALL = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def changed(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """An input of the corpus with a few stretches of it gone, doubled, swapped for others or moved."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(len(data), at + 40)))
        into = draw(st.integers(0, len(data)))
        data = draw(
            st.sampled_from(
                [
                    data[:at] + data[end:],
                    data[:end] + data[at:],
                    data[:at] + draw(st.sampled_from(TELLING) | st.binary(max_size=4)) + data[end:],
                    data[:into] + data[at:end] + data[into:],
                ]
            )
        )
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_of_each_target_is_replayed(name):
    """What was found once, and what the fuzzers begin with, is no finding."""
    assert SEEDS[name]
    for data in SEEDS[name]:
        TARGETS[name](data)
        TARGETS[name](data[: len(data) // 2])


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_break_a_promise(name):
    """Changed inputs of the corpus, and bytes of any kind."""

    @SMALL
    @given(changed(SEEDS[name]) | st.binary(max_size=200))
    def hold(data: bytes) -> None:
        TARGETS[name](data)

    hold()


def test_every_corpus_has_its_target():
    """No directory of inputs lies beside the targets unused."""
    assert {path.name for path in CORPUS.iterdir()} == {*TARGETS}
