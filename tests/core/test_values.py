"""The parsers of option values."""

from __future__ import annotations

import base64

import pytest

from orbit_fast.core import values
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.settings import GIB
from orbit_fast.core.settings import MIB

KEY = bytes(range(32))
FILES = {
    "raw": KEY,
    "base64": base64.b64encode(KEY) + b"\n",
    "short": b"hunter2",
    "odd": b"!" * 44,
}


def read_file(name):
    """The files of these tests."""
    if name not in FILES:
        raise FileNotFoundError(2, "No such file or directory", name)
    return FILES[name]


CONTEXT = values.Context(now_ns=lambda: 10**18, read_file=read_file)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (values.text, "a b", "a b"),
        (values.pattern, "*\n", "*\n"),
        (values.integer(1, 10), "10", 10),
        (values.choice(("COPY", "REPLACE")), "replace", "REPLACE"),
        (values.choice(("aws:kms",)), "AWS:KMS", "aws:kms"),
        (values.choice(("follow", "skip"), (True, False)), "skip", False),
        (values.size(), "1K", 1024),
        (values.size(default_unit=MIB), "16", 16 * MIB),
        (values.size(MIB, GIB), "1GiB", GIB),
        (values.seconds, "1.5", 1.5),
        (values.seconds, "2m", 120.0),
        (values.age, "1s", 10**18 - 10**9),
        (values.pair, "name=a=b", ("name", "a=b")),
        (values.pair, "name=", ("name", "")),
        (values.tags, "a=1&b=2", (("a", "1"), ("b", "2"))),
        (values.tags, "a=%26+", (("a", "%26+"),)),
        (values.customer_key, "raw", KEY),
        (values.customer_key, "base64", KEY),
    ],
)
def test_parses(parse, text, value):
    """Text that can be used becomes its value."""
    assert parse(text, CONTEXT) == value


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (values.text, "", "empty"),
        (values.text, "a\r\nx-amz-acl: public-read", "line break"),
        (values.text, "a\0", "NUL"),
        (values.pattern, "", "empty"),
        (values.integer(1, 10), "0", "from 1 to 10"),
        (values.integer(1, 10), "11", "from 1 to 10"),
        (values.integer(1, 10), "1_0", "'1_0'"),
        (values.integer(1, 10), "-1", "'-1'"),
        (values.integer(1, 10), "٣", "whole number"),
        (values.integer(0, 10), "0" * 20 + "9" * 5000, "whole number"),
        (values.choice(("auto", "path")), "paht", "auto, path"),
        (values.size(), "banana", "banana"),
        (values.size(5 * MIB), "1M", "less than 5.0 MiB"),
        (values.size(0, MIB), "1G", "more than 1.0 MiB"),
        (values.seconds, "0", "longer than nothing"),
        (values.seconds, "soon", "soon"),
        (values.age, "never", "never"),
        (values.pair, "name", "NAME=VALUE"),
        (values.pair, " =v", "NAME=VALUE"),
        (values.pair, "a=b\nc", "line break"),
        (values.tags, "a=1&b", "'b'"),
        (values.customer_key, "short", "256-bit"),
        (values.customer_key, "odd", "256-bit"),
        (values.customer_key, "missing", "No such file"),
    ],
)
def test_refuses(parse, text, words):
    """Text that cannot be used is refused in words that name it."""
    with pytest.raises(InvalidConfig) as caught:
        parse(text, CONTEXT)
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_customer_key_error_shows_no_content():
    """What stands in a key file is never shown, not even when it is no key."""
    with pytest.raises(InvalidConfig) as caught:
        values.customer_key("short", CONTEXT)
    assert "hunter2" not in caught.value.message


def test_join_tags_bounds():
    """An object has at most ten tags; of two with one name the later holds."""
    assert values.join_tags(((("a", "1"), ("b", "2")), (("a", "3"),))) == (("a", "3"), ("b", "2"))
    with pytest.raises(InvalidConfig, match="11 tags"):
        values.join_tags(tuple(((str(number), ""),) for number in range(11)))


def option(shape, **columns):
    """A row of the given shape."""
    columns = {"verbs": frozenset({"cp"}), **columns}
    return values.Option(name="some-name", path="transfer.x", help="", shape=shape, **columns)


@pytest.mark.parametrize(
    ("row", "text", "value"),
    [
        (option(values.Shape.VALUE), "x", "x"),
        (option(values.Shape.FLAG), "yes", True),
        (option(values.Shape.FLAG, constant=False), "TRUE", False),
        (option(values.Shape.FLAG), "0", None),
        (option(values.Shape.TOGGLE), "off", False),
        (option(values.Shape.TOGGLE), "on", True),
        (option(values.Shape.COUNT), "2", 2),
        (option(values.Shape.COUNT), "true", 1),
        (option(values.Shape.COUNT), "no", None),
        (option(values.Shape.COUNT), "0", None),
        (option(values.Shape.MANY), "a\n\nb c", ("a", "b c")),
    ],
)
def test_variables(row, text, value):
    """A variable gives what its flag would; a flag's variable can also say no."""
    assert values.read_variable(row, text, CONTEXT) == value


def test_variable_errors_name_the_variable():
    """A variable that cannot be used is named in the error."""
    with pytest.raises(InvalidConfig, match="ORBIT_SOME_NAME: 'maybe' is neither true nor false"):
        values.read_variable(option(values.Shape.FLAG), "maybe", CONTEXT)
    with pytest.raises(InvalidConfig, match="ORBIT_SOME_NAME: 'x' is not a whole number"):
        values.read_variable(option(values.Shape.VALUE, parse=values.integer(0, 1)), "x", CONTEXT)
