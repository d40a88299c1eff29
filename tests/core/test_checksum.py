"""Checksums agree with awscrt, hashlib, botocore and the published check values."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import subprocess
import sys
import zlib

import crc32c
import pytest
from awscrt import checksums as awscrt_checksums
from botocore.httpchecksum import _CHECKSUM_CLS
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.checksum import ALGORITHMS
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.checksum import combine
from orbit_fast.core.checksum import composite
from orbit_fast.core.checksum import decode_value
from orbit_fast.core.checksum import digest_size
from orbit_fast.core.checksum import etag_of_parts
from orbit_fast.core.checksum import is_combinable
from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.checksum import new_sum
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.model import Checksum

CRCS = ("CRC32", "CRC32C", "CRC64NVME")
COMBINERS = {
    "CRC32": awscrt_checksums.combine_crc32,
    "CRC32C": awscrt_checksums.combine_crc32c,
    "CRC64NVME": awscrt_checksums.combine_crc64nvme,
}


@pytest.mark.parametrize(
    ("algorithm", "hex_digest"),
    [
        ("CRC32", "cbf43926"),
        ("CRC32C", "e3069283"),
        ("CRC64NVME", "ae8b14860a799888"),
        ("SHA1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        ("SHA256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
    ],
)
def test_check_values(algorithm, hex_digest) -> None:
    """Each algorithm gives its published digest of ``123456789``."""
    hasher = new_hasher(algorithm)
    hasher.update(b"123456789")
    assert hasher.digest().hex() == hex_digest
    assert hasher.value() == base64.b64encode(bytes.fromhex(hex_digest)).decode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(data=st.binary(max_size=300))
def test_equal_to_botocores(algorithm, data) -> None:
    """The value is the one that botocore would send for the same bytes."""
    theirs = _CHECKSUM_CLS[algorithm.lower()]().handle(io.BytesIO(data))
    assert checksum_of(algorithm, data) == Checksum(algorithm, theirs, "FULL_OBJECT")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(pieces=st.lists(st.binary(max_size=50), max_size=8))
def test_pieces_make_the_whole(algorithm, pieces) -> None:
    """Feeding pieces, as bytes, bytearray or memoryview, equals feeding them at once."""
    hasher = new_hasher(algorithm)
    for kind, piece in zip([bytes, bytearray, memoryview] * 3, pieces, strict=False):
        hasher.update(kind(piece))
    assert hasher.value() == checksum_of(algorithm, b"".join(pieces)).value
    assert len(hasher.digest()) == digest_size(algorithm)


@pytest.mark.parametrize("algorithm", CRCS)
@given(pieces=st.lists(st.binary(max_size=200), max_size=6))
def test_combined_crcs_are_the_crc_of_the_whole(algorithm, pieces) -> None:
    """The CRCs and sizes of pieces, empty ones too, give the CRC of their concatenation."""
    parts = [(checksum_of(algorithm, piece).value, len(piece)) for piece in pieces]
    assert combine(algorithm, parts) == checksum_of(algorithm, b"".join(pieces)).value


@pytest.mark.parametrize("algorithm", CRCS)
@given(data=st.data(), size=st.integers(1, (1 << 50) - 1))
def test_combine_equals_awscrts(algorithm, data, size) -> None:
    """Any two CRCs over any length up to beyond S3's largest object combine as awscrt combines them."""
    width = digest_size(algorithm)
    first, second = (data.draw(st.binary(min_size=width, max_size=width)) for _ in range(2))
    whole = combine(algorithm, [(base64.b64encode(first).decode(), 7), (base64.b64encode(second).decode(), size)])
    theirs = COMBINERS[algorithm](int.from_bytes(first, "big"), int.from_bytes(second, "big"), size)
    assert base64.b64decode(whole) == theirs.to_bytes(width, "big")


def test_ten_thousand_equal_parts_combine() -> None:
    """The largest number of parts, with a shorter last one, gives the CRC of the whole."""
    block = bytes(range(256))
    tail = b"the end"
    parts = [(checksum_of("CRC32", block).value, len(block))] * 9_999 + [(checksum_of("CRC32", tail).value, len(tail))]
    assert decode_value("CRC32", combine("CRC32", parts)) == zlib.crc32(block * 9_999 + tail).to_bytes(4, "big")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_only_crcs_combine(algorithm) -> None:
    """CRCs combine; hashes are refused in one line."""
    assert is_combinable(algorithm) == (algorithm in CRCS)
    if algorithm not in CRCS:
        with pytest.raises(InvalidConfig, match=algorithm):
            combine(algorithm, [])


def test_a_negative_size_is_a_mistake() -> None:
    """A piece cannot have less than no bytes."""
    with pytest.raises(ValueError, match="-1 bytes"):
        combine("CRC32", [("AAAAAA==", -1)])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(pieces=st.lists(st.binary(max_size=20), min_size=1, max_size=4))
def test_composites_hash_the_digests(algorithm, pieces) -> None:
    """A composite is the checksum of the parts' raw digests and their number."""
    values = [checksum_of(algorithm, piece).value for piece in pieces]
    digests = b"".join(base64.b64decode(value) for value in values)
    assert composite(algorithm, values) == f"{checksum_of(algorithm, digests).value}-{len(pieces)}"


def test_composite_of_s3s_documentation_shape() -> None:
    """A composite SHA-256 equals hashlib's digest of hashlib's digests."""
    parts = [b"a" * 10, b"b" * 3]
    values = [base64.b64encode(hashlib.sha256(part).digest()).decode() for part in parts]
    outer = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    assert composite("SHA256", values) == base64.b64encode(outer).decode() + "-2"


def test_etag_of_parts() -> None:
    """The ETag of a multipart upload is the MD5 of the parts' MD5s and their number."""
    md5s = [hashlib.md5(part).digest() for part in (b"one", b"two")]
    assert etag_of_parts(md5s) == hashlib.md5(md5s[0] + md5s[1]).hexdigest() + "-2"


@pytest.mark.parametrize(
    "value", ["", "AAAA", "AAAAAAA=", "AAAAA", "AAAA AA==", "AAAAAA==\n", "é", "AAAAAAAAAAA=", "-_-_-w=="]
)
def test_what_is_no_checksum_is_a_bad_reply(value) -> None:
    """Text that is not base64 of a digest of the right width is the service's mistake."""
    with pytest.raises(BadReply, match="not a CRC32 checksum"):
        decode_value("CRC32", value)
    with pytest.raises(BadReply, match="not a CRC32 checksum"):
        combine("CRC32", [(value, 1)])
    with pytest.raises(BadReply, match="not a CRC32 checksum"):
        composite("CRC32", [value])


@pytest.mark.parametrize("algorithm", ["", "crc32c", "MD5", "CRC64"])
def test_unknown_algorithms_are_named(algorithm) -> None:
    """An algorithm that orbit does not compute is named in the error, with those that it does."""
    for call in (new_hasher, digest_size, lambda name: checksum_of(name, b""), lambda name: decode_value(name, "")):
        with pytest.raises(InvalidConfig, match="CRC64NVME") as caught:
            call(algorithm)
        assert repr(algorithm) in caught.value.message


@pytest.mark.slow
def test_libraries_load_when_first_needed() -> None:
    """The module loads no library, a small CRC32C only the small one, and none of them starts a thread."""
    program = (
        "import os, sys; from orbit_fast.core import checksum\n"
        "loaded = lambda: print('crc32c' in sys.modules, 'awscrt' in sys.modules)\n"
        "loaded(); checksum.checksum_of('CRC32C', b'')\n"
        "loaded(); checksum.new_hasher('CRC32C')\n"
        "loaded(); print(len(os.listdir('/proc/self/task')) if sys.platform == 'linux' else 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True", "False", "True", "True", "1"]


@given(st.lists(st.integers(0, 2000), max_size=5), st.integers(0, 63))
def test_crc32c_is_that_of_another_library(sizes, start) -> None:
    """Piece by piece, from any address."""
    memory = memoryview(bytearray(os.urandom(12_000)))
    hasher, wanted = new_hasher("CRC32C"), 0
    for size in sizes:
        hasher.update(memory[start : start + size])
        wanted = crc32c.crc32c(memory[start : start + size], wanted)
        start += size
    assert int.from_bytes(hasher.digest(), "big") == wanted


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_sum_is_the_value_of_the_checksum(algorithm, kind):
    """Of any piece of memory, the empty one too."""
    for data in (b"", b"123456789", bytes(5000)):
        assert new_sum(algorithm)(kind(data)) == checksum_of(algorithm, data).value


def test_there_is_no_sum_of_an_unknown_algorithm():
    """It is refused when it is asked for, not when it is used."""
    with pytest.raises(InvalidConfig):
        new_sum("CRC8")
