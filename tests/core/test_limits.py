"""Limits agree with each other and with botocore's model of S3."""

from __future__ import annotations

import inspect
import re

import pytest

from orbit_fast.core import limits


def test_an_object_is_as_large_as_its_parts() -> None:
    """10,000 parts of 5 GiB are the 48.8 TiB that S3 takes."""
    assert limits.MAX_OBJECT_BYTES == limits.MAX_PARTS * limits.MAX_PART_BYTES
    assert round(limits.MAX_OBJECT_BYTES / 2**40, 1) == 48.8


def test_a_full_page_fits() -> None:
    """A page of the longest keys, percent-encoded threefold and twice over, is below the page limit."""
    assert limits.MAX_PAGE_KEYS * limits.MAX_KEY_BYTES * 3 * 2 < limits.MAX_PAGE_BYTES


@pytest.mark.parametrize("name", [name for name in vars(limits) if name.startswith("M") and name[-1] != "B"])
def test_every_limit_has_a_source(name) -> None:
    """Each constant is followed by a docstring that says where it comes from."""
    found = re.search(rf'^{name}: Final = .+\n"""(.+)"""$', inspect.getsource(limits), re.MULTILINE)
    assert found
    assert len(found[1]) > 20
