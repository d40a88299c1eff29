"""What arguments of commands that list mean."""

from __future__ import annotations

import pytest

from orbit_fast.core import reach
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.settings import SelectionSettings

PLAIN = SelectionSettings()
RECURSIVE = SelectionSettings(recursive=True)
RAW = SelectionSettings(raw=True)


@pytest.mark.parametrize(
    ("read", "url", "selection", "stretches", "under"),
    [
        (reach.shown, "s3://b", PLAIN, [("", "/", False)], 0),
        (reach.shown, "s3://b/d/lo", PLAIN, [("d/lo", "/", False)], 2),
        (reach.shown, "s3://b/d/", PLAIN, [("d/", "/", False)], 2),
        (reach.shown, "s3://b", RECURSIVE, [("", "", False)], 0),
        (reach.shown, "s3://b/d/lo", RECURSIVE, [("d/lo", "", True), ("d/lo/", "", False)], 5),
        (reach.shown, "s3://b/d/", RECURSIVE, [("d/", "", False)], 2),
        (reach.shown, "s3://b/d/lo*g", PLAIN, [("d/lo", "", False)], 2),
        (reach.shown, "s3://b/d/lo*g", RECURSIVE, [("d/lo", "", False)], 2),
        (reach.shown, "s3://b/d/lo*g", RAW, [("d/lo*g", "/", False)], 2),
        (reach.counted, "s3://b/d/lo", PLAIN, [("d/lo", "", True), ("d/lo/", "", False)], 5),
        (reach.counted, "s3://b/?", PLAIN, [("", "", False)], 0),
        (reach.counted, "s3://b/?", RAW, [("?", "", True), ("?/", "", False)], 2),
        (reach.removed, "s3://b/d/lo", PLAIN, [("d/lo", "", True)], 2),
        (reach.removed, "s3://b/d/", PLAIN, [("d/", "", True)], 0),
        (reach.removed, "s3://b/d/lo", RECURSIVE, [("d/lo", "", True), ("d/lo/", "", False)], 5),
        (reach.removed, "s3://b/d/*", PLAIN, [("d/", "", False)], 2),
        (reach.removed, "s3://b/d/*", RAW, [("d/*", "", True)], 2),
    ],
)
def test_readings(read, url, selection, stretches, under):
    """Which listings are asked for, and how much of a key is not part of its name."""
    found = read(parse_s3_url(url), selection)
    assert [(one.prefix, one.delimiter, one.is_exact) for one in found.stretches] == stretches
    assert found.under == under
    assert (found.wildcard is not None) == (("*" in url or "?" in url) and selection is not RAW)
    assert found.is_bucket == (url == "s3://b")


@pytest.mark.parametrize(
    ("found", "key", "name"),
    [
        (reach.tree(parse_s3_url("s3://b/d/lo")), "d/lo", "lo"),
        (reach.tree(parse_s3_url("s3://b/d/lo")), "d/lo/x/y", "x/y"),
        (reach.tree(parse_s3_url("s3://b/d/lo")), "d/lo/", "lo/"),
        (reach.tree(parse_s3_url("s3://b")), "d/lo", "d/lo"),
        (reach.directory(parse_s3_url("s3://b/d/lo")), "d/log/", "log/"),
        (reach.directory(parse_s3_url("s3://b/d/")), "d/", "d/"),
        (reach.pattern(parse_s3_url("s3://b/d/l*")), "d/lo/x", "lo/x"),
        (reach.one_key(parse_s3_url("s3://b/d/lo")), "d/lo", "lo"),
        (reach.one_key(parse_s3_url("s3://b/d/")), "d/", "d/"),
    ],
)
def test_names(found, key, name):
    """What follows the prefix; a key that is the prefix itself keeps its last component."""
    assert found.relative_name(key) == name


@pytest.mark.parametrize(
    ("selection", "is_filtered", "has_limits"),
    [
        (SelectionSettings(), False, False),
        (SelectionSettings(include=("a",)), True, False),
        (SelectionSettings(exclude=("a",)), True, False),
        (SelectionSettings(rules=(("+", "a"),)), True, False),
        (SelectionSettings(min_size=1), True, True),
        (SelectionSettings(max_size=0), True, True),
        (SelectionSettings(newer_than_ns=1), True, True),
        (SelectionSettings(older_than_ns=1), True, True),
    ],
)
def test_filters(selection, is_filtered, has_limits):
    """Which settings can leave something out, and which of them need facts."""
    assert (reach.is_filtered(selection), reach.has_limits(selection)) == (is_filtered, has_limits)
