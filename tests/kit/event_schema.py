"""Every JSON line that a test sees goes through `validated`."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator


@cache
def _validator() -> Draft202012Validator:
    schema = json.loads(resources.files("orbit_fast.core").joinpath("events.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def is_valid(event: Any) -> bool:
    """Whether `event` is one of the schema's."""
    return _validator().is_valid(event)


def validated(lines: bytes) -> list[dict[str, Any]]:
    """The events in JSON Lines, each proven to be one of the schema's and each line to be whole."""
    assert lines.endswith(b"\n") or not lines
    events = [json.loads(line) for line in lines.splitlines()]
    for event in events:
        _validator().validate(event)
    return events
