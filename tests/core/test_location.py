"""S3 URLs, wildcards and destinations follow their rules to the byte."""

from __future__ import annotations

import fnmatch
import time

import pytest
from botocore.utils import ArnParser
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidBucketName
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.location import KeySource
from orbit_fast.core.location import LocalDestination
from orbit_fast.core.location import LocalKind
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import SourceKind
from orbit_fast.core.location import Wildcard
from orbit_fast.core.location import check_bucket
from orbit_fast.core.location import check_key
from orbit_fast.core.location import destination_key
from orbit_fast.core.location import flat_name
from orbit_fast.core.location import has_wildcard
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.location import key_source
from orbit_fast.core.location import local_destination
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.location import wildcard_prefix

ACCESS_POINT = "arn:aws:s3:us-west-2:123456789012:accesspoint/my-ap"
OUTPOST = "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-0123456789abcdef0/accesspoint/ap"
LAMBDA = "arn:aws-us-gov:s3-object-lambda:us-gov-west-1:123456789012:accesspoint:banner"
MULTI_REGION = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"


@pytest.mark.parametrize(
    ("text", "is_url"),
    [
        ("s3://b/k", True),
        ("s3://", True),
        ("S3://b/k", True),
        ("s3:/b/k", False),
        ("./s3://b", False),
        ("/s3://", False),
        ("https://b/k", False),
        ("", False),
        ("-", False),
    ],
)
def test_what_is_an_s3_url(text, is_url) -> None:
    """Only what begins with s3:// is in S3."""
    assert is_s3_url(text) == is_url


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("s3://b", "b", ""),
        ("s3://b/", "b", ""),
        ("s3://b/k", "b", "k"),
        ("S3://b/k", "b", "k"),
        ("s3://b//lead", "b", "/lead"),
        ("s3://b/a//b/", "b", "a//b/"),
        ("s3://b/q?x=1#frag@v1", "b", "q?x=1#frag@v1"),
        ("s3://b/50%25%2F+a b&c*[d]", "b", "50%25%2F+a b&c*[d]"),
        ("s3://b/\n\t\x85\x7f", "b", "\n\t\x85\x7f"),
        ("s3://b/\U0001f6f0/e\u0301/\u00e9", "b", "\U0001f6f0/e\u0301/\u00e9"),
        ("s3://b/../x", "b", "../x"),
        ("s3://b/s3://c/d", "b", "s3://c/d"),
        ("s3://my.bucket-1/k", "my.bucket-1", "k"),
        ("s3://Old_Bucket/k", "Old_Bucket", "k"),
        ("s3://ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias/k", "ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias", "k"),
        ("s3://x--use1-az4--x-s3/k", "x--use1-az4--x-s3", "k"),
        (f"s3://{ACCESS_POINT}", ACCESS_POINT, ""),
        (f"s3://{ACCESS_POINT}/", ACCESS_POINT, ""),
        (f"s3://{ACCESS_POINT}/a/b:c", ACCESS_POINT, "a/b:c"),
        (f"s3://{ACCESS_POINT}//a", ACCESS_POINT, "/a"),
        (f"s3://{OUTPOST}/k/l", OUTPOST, "k/l"),
        (f"s3://{LAMBDA}/k", LAMBDA, "k"),
        (f"s3://{MULTI_REGION}/k", MULTI_REGION, "k"),
    ],
)
def test_urls_split_after_the_bucket(text, bucket, key) -> None:
    """After the bucket, which may be an ARN with slashes, everything is the key as it is."""
    assert parse_s3_url(text) == S3Url(bucket, key)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("s3://", "missing"),
        ("s3:///k", "missing"),
        ("s3://./k", "not a bucket name: '.'"),
        ("s3://../k", "not a bucket name: '..'"),
        ("s3://a b/k", "not a bucket name: 'a b'"),
        ("s3://b?x/k", "not a bucket name"),
        ("s3://b*/k", "not a bucket name"),
        ("s3://user@b/k", "not a bucket name"),
        ("s3://b\r\n/k", r"not a bucket name: 'b\\r\\n'"),
        ("s3://b\n", r"not a bucket name: 'b\\n'"),
        ("s3://bücket/k", "not a bucket name"),
        (f"s3://{'b' * 256}/k", "not a bucket name"),
        ("s3://arn:aws:s3:us-west-2:123456789012:accesspoint", "not the ARN"),
        ("s3://arn:aws:s3:us-west-2:12345:accesspoint/ap/k", "not the ARN"),
        ("s3://arn:aws:sqs:us-west-2:123456789012:queue/k", "not the ARN"),
        (f"s3://{ACCESS_POINT}é/k", "not the ARN"),
    ],
)
def test_what_is_no_bucket_is_refused(text, reason) -> None:
    """One clear line says why there is no bucket in the URL."""
    with pytest.raises(InvalidBucketName, match=reason) as caught:
        parse_s3_url(text)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("text", ["s3://b/\udcff", "s3://\udcff", "s3://b/é\ud800"])
def test_what_no_request_can_carry_is_refused(text) -> None:
    """Bytes of a command line that are not UTF-8."""
    with pytest.raises(InvalidKey, match="not Unicode text"):
        parse_s3_url(text)


def test_what_is_no_url_is_refused() -> None:
    """A local name is not parsed as a URL."""
    with pytest.raises(InvalidConfig, match="not an S3 URL: '/etc/passwd'"):
        parse_s3_url("/etc/passwd")


@given(bucket=st.sampled_from(["b", "my.bucket", ACCESS_POINT, OUTPOST, LAMBDA, MULTI_REGION]), key=st.text())
def test_urls_come_back(bucket, key) -> None:
    """A URL's text, parsed again, is the same bucket and key."""
    assert parse_s3_url(str(S3Url(bucket, key))) == S3Url(bucket, key)


@pytest.mark.parametrize("arn", [ACCESS_POINT, OUTPOST, LAMBDA, MULTI_REGION])
def test_arns_are_arns_to_botocore(arn) -> None:
    """The ARNs of these tables parse in botocore, and are buckets here."""
    assert ArnParser().parse_arn(arn)["service"].startswith("s3")
    check_bucket(arn)


@pytest.mark.parametrize("key", ["k", "a" * 1024, "é" * 512, "/", "\0", "\U0001f6f0" * 256])
def test_keys_up_to_1024_bytes_pass(key) -> None:
    """Any text of 1 to 1,024 bytes of UTF-8 is a key."""
    check_key(key)


@pytest.mark.parametrize(
    ("key", "reason"),
    [("", "empty"), ("a" * 1025, "1025 bytes"), ("é" * 512 + "a", "1025 bytes"), ("\udcff", "not Unicode")],
)
def test_what_is_no_key_is_refused(key, reason) -> None:
    """Empty, too long and non-Unicode names are no keys."""
    with pytest.raises(InvalidKey, match=reason):
        check_key(key)


# --- wildcards --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "is_wild", "prefix"),
    [
        ("a/b", False, "a/b"),
        ("a/te*", True, "a/te"),
        ("a?b*", True, "a"),
        ("*", True, ""),
        ("?", True, ""),
        ("", False, ""),
        ("[a]", False, "[a]"),
    ],
)
def test_prefix_ends_at_the_first_wildcard(key, is_wild, prefix) -> None:
    """Stars and question marks, and nothing else, are wildcards; what stands before them is the prefix."""
    assert has_wildcard(key) == is_wild
    assert wildcard_prefix(key) == prefix


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("*.txt", "a/b.txt", True),
        ("*.txt", "a.txt.gz", False),
        ("a*", "a", True),
        ("a*", "ba", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", True),
        ("a?c", "ac", False),
        ("a?c", "a\nc", True),
        ("*", "", True),
        ("?", "", False),
        ("", "", True),
        ("", "a", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("*ab*ab*", "aab", False),
        ("*ab*ab", "abab", True),
        ("*aab*", "aaab", True),
        ("*a?b", "axaab", True),
        ("ab*ba", "aba", False),
        ("[a-z].+\\d{2}^$|", "[a-z].+\\d{2}^$|", True),
        ("[a-z]", "b", False),
        ("**", "x/y", True),
        ("x**y", "xy", True),
        ("A", "a", False),
        ("a", "a\n", False),
        ("?", "\U0001f6f0", True),
    ],
)
def test_wildcards(pattern, text, fits) -> None:
    """A star is any characters, a question mark exactly one, everything else itself; the whole text must fit."""
    assert Wildcard(pattern).matches(text) == fits


@given(pattern=st.text(alphabet="ab/*?[]", max_size=12), text=st.text(alphabet="ab/[]\n", max_size=16))
@example(pattern="*a*?b*", text="aab")
def test_wildcards_equal_fnmatchs(pattern, text) -> None:
    """The standard library's matcher, its brackets escaped, says the same."""
    assert Wildcard(pattern).matches(text) == fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


@pytest.mark.timeout(5, method="signal")  # a running match holds the interpreter, but looks for signals
@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*a" * 400, "a" * 1023 + "b"),
        ("a*" * 400 + "b", "a" * 1024),
        ("*" * 500 + "b", "a" * 1024),
        ("*?" * 300 + "b", "a" * 1024),
        ("*" + "a?" * 200 + "c*", "a" * 1024),
        ("?*" * 1000, "a" * 999),
    ],
)
def test_no_pattern_blows_up(pattern, text) -> None:
    """Patterns made to backtrack are refused at once; tried in every way they would take for ever."""
    wildcard = Wildcard(pattern)
    before = time.process_time()
    assert not wildcard.matches(text)
    assert time.process_time() - before < 2.0  # the interpreter may collect its garbage meanwhile


# --- sources ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "recursive", "raw", "kind", "single_key", "list_prefix"),
    [
        ("a/b", False, False, SourceKind.KEY, "a/b", None),
        ("dir/", False, False, SourceKind.KEY, "dir/", None),
        ("a*", False, True, SourceKind.KEY, "a*", None),
        ("logs", True, False, SourceKind.TREE, "logs", "logs/"),
        ("a/logs/", True, False, SourceKind.TREE, "", "a/logs/"),
        ("", True, False, SourceKind.TREE, "", ""),
        ("lo*", True, True, SourceKind.TREE, "lo*", "lo*/"),
        ("a/te*", False, False, SourceKind.WILDCARD, "", "a/te"),
        ("a/te*", True, False, SourceKind.WILDCARD, "", "a/te"),
        ("*", False, False, SourceKind.WILDCARD, "", ""),
    ],
)
def test_what_a_source_means(key, recursive, raw, kind, single_key, list_prefix) -> None:
    """A key is one object, with --recursive a tree; wildcards are patterns unless --raw."""
    source = key_source(S3Url("b", key), recursive=recursive, raw=raw)
    assert (source.kind, source.single_key, source.list_prefix) == (kind, single_key, list_prefix)
    assert source.is_many == (kind is not SourceKind.KEY)


@pytest.mark.parametrize("raw", [False, True])
def test_a_bucket_needs_recursive(raw) -> None:
    """A whole bucket is copied only when asked for."""
    with pytest.raises(InvalidConfig, match="s3://b/ is a bucket"):
        key_source(S3Url("b"), recursive=False, raw=raw)


@pytest.mark.parametrize(
    ("kind", "pattern", "key", "name"),
    [
        (SourceKind.KEY, "a/b.txt", "a/b.txt", "b.txt"),
        (SourceKind.KEY, "b.txt", "b.txt", "b.txt"),
        (SourceKind.KEY, "a/dir/", "a/dir/", "dir/"),
        (SourceKind.KEY, "a/b", "a/b/c", None),
        (SourceKind.TREE, "logs", "logs", "logs"),
        (SourceKind.TREE, "a/logs", "a/logs", "logs"),
        (SourceKind.TREE, "logs", "logs/x", "x"),
        (SourceKind.TREE, "logs", "logs/x/y", "x/y"),
        (SourceKind.TREE, "logs", "logs//y", "/y"),
        (SourceKind.TREE, "logs", "logs/", ""),
        (SourceKind.TREE, "logs", "logs2", None),
        (SourceKind.TREE, "logs", "logs2/x", None),
        (SourceKind.TREE, "logs", "log", None),
        (SourceKind.TREE, "logs/", "logs/x", "x"),
        (SourceKind.TREE, "logs/", "logs", None),
        (SourceKind.TREE, "", "any/thing", "any/thing"),
        (SourceKind.TREE, "", "/lead", "/lead"),
        (SourceKind.TREE, "", "", None),
        (SourceKind.TREE, "lo*", "lo*/x", "x"),
        (SourceKind.TREE, "lo*", "lox/x", None),
        (SourceKind.WILDCARD, "a/te*", "a/test.txt", "test.txt"),
        (SourceKind.WILDCARD, "a/te*", "a/te/x/y", "te/x/y"),
        (SourceKind.WILDCARD, "a/te*", "a/t", None),
        (SourceKind.WILDCARD, "*", "x/y", "x/y"),
        (SourceKind.WILDCARD, "te*/b/*.c", "test/b/d.c", "test/b/d.c"),
        (SourceKind.WILDCARD, "a/b/?/*", "a/b/c/d/e", "c/d/e"),
        (SourceKind.WILDCARD, "a/*", "a/", ""),
    ],
)
def test_relative_names(kind, pattern, key, name) -> None:
    """What follows the prefix, or the last slash before the wildcard; None: the key does not belong to the source."""
    source = KeySource(S3Url("b", pattern), kind)
    assert source.holds(key) == (name is not None)
    if name is not None:
        assert source.relative_name(key) == name


@given(pattern=st.text(alphabet="ab/*?", min_size=1, max_size=8), key=st.text(alphabet="ab/", max_size=10))
def test_held_keys_are_looked_up_or_listed(pattern, key) -> None:
    """A key that belongs to a source is its single key or begins with what is listed, and ends with its name."""
    for recursive in (False, True):
        source = key_source(S3Url("b", pattern), recursive=recursive, raw=False)
        if key and source.holds(key):
            listed = source.list_prefix is not None and key.startswith(source.list_prefix)
            assert listed or key == source.single_key
            assert key.endswith(source.relative_name(key))


# --- destinations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "name", "many", "key"),
    [
        ("s3://b", "file.txt", False, "file.txt"),
        ("s3://b/", "file.txt", False, "file.txt"),
        ("s3://b/dir/", "file.txt", False, "dir/file.txt"),
        ("s3://b/name", "file.txt", False, "name"),
        ("s3://b/a/name", "x/file.txt", False, "a/name"),
        ("s3://b/dir/", "x/file.txt", False, "dir/file.txt"),
        ("s3://b//", "file.txt", False, "/file.txt"),
        ("s3://b/", "dir/", False, "dir/"),
        ("s3://b", "x/y", True, "x/y"),
        ("s3://b/", "x/y", True, "x/y"),
        ("s3://b/dir", "x/y", True, "dir/x/y"),
        ("s3://b/dir/", "x/y", True, "dir/x/y"),
        ("s3://b/dir", "/lead", True, "dir//lead"),
        ("s3://b", "/lead", True, "/lead"),
        ("s3://b/dir//", "x", True, "dir//x"),
        ("s3://b/dir", "x/", True, "dir/x/"),
        ("s3://b/we*ird", "x", True, "we*ird/x"),
    ],
)
def test_destination_keys(destination, name, many, key) -> None:
    """One object takes the key as it is, or its base name below a slash; many go below the prefix."""
    assert destination_key(parse_s3_url(destination), name, many=many) == key


@pytest.mark.parametrize(
    ("destination", "name", "many"),
    [("s3://b/" + "d" * 1000, "n" * 24, True), ("s3://b", "", True), ("s3://b/" + "d" * 1025, "n", False)],
)
def test_impossible_destination_keys_are_refused(destination, name, many) -> None:
    """A key that would be empty or too long is refused before anything is sent."""
    with pytest.raises(InvalidKey):
        destination_key(parse_s3_url(destination), name, many=many)


@pytest.mark.parametrize(
    ("path", "existing", "many", "is_directory"),
    [
        (b"dir/", LocalKind.NOTHING, False, True),
        (b"dir/", LocalKind.DIRECTORY, False, True),
        (b"dir", LocalKind.DIRECTORY, False, True),
        (b".", LocalKind.DIRECTORY, False, True),
        (b"file", LocalKind.NOTHING, False, False),
        (b"file", LocalKind.FILE, False, False),
        (b"dir", LocalKind.NOTHING, True, True),
        (b"dir", LocalKind.DIRECTORY, True, True),
    ],
)
def test_what_a_local_destination_means(path, existing, many, is_directory) -> None:
    """Many objects, an existing directory, or a slash at the end: a directory; else the file itself."""
    destination = local_destination(path, existing, many=many)
    assert destination == LocalDestination(path, is_directory)
    assert destination.root == (path if is_directory else b"")


@pytest.mark.parametrize(
    ("path", "existing", "many", "reason"),
    [
        (b"file", LocalKind.FILE, True, "must be a directory and is not: file"),
        (b"file/", LocalKind.FILE, False, "must be a directory"),
        (b"\xff/", LocalKind.FILE, False, r"\\xff/"),
        (b"", LocalKind.NOTHING, False, "empty"),
    ],
)
def test_impossible_local_destinations_are_refused(path, existing, many, reason) -> None:
    """A file cannot stand where a directory is needed."""
    with pytest.raises(InvalidConfig, match=reason):
        local_destination(path, existing, many=many)


@pytest.mark.parametrize(
    ("path", "is_directory", "name", "file"),
    [
        (b"dir", True, "x/y", b"dir/x/y"),
        (b"dir/", True, "x/y", b"dir/x/y"),
        (b"/", True, "x", b"/x"),
        (b".", True, "é", b"./\xc3\xa9"),
        (b"file", False, "x/y", b"file"),
        (b"file", False, "../y", b"file"),
    ],
)
def test_local_files(path, is_directory, name, file) -> None:
    """Names stand below the directory; a file that the user named is that file whatever the key is called."""
    assert LocalDestination(path, is_directory).path_of(name) == file


def test_names_never_leave_the_directory() -> None:
    """A name that climbs out is refused."""
    with pytest.raises(UnsafePath):
        LocalDestination(b"dir", is_directory=True).path_of("../../evil")


@pytest.mark.parametrize(("name", "flat"), [("a/b/c", "c"), ("c", "c"), ("a/b/", ""), ("", ""), ("/c", "c")])
def test_flat_names(name, flat) -> None:
    """--flatten keeps base names, and has none for directory markers."""
    assert flat_name(name) == flat
