"""What SelectObjectContent is asked, in the names of its API."""

from __future__ import annotations

from typing import Any
from typing import Final

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.settings import SelectSettings

INPUT_FORMATS: Final = ("csv", "json", "parquet")
_DEFAULTS: Final = SelectSettings()


def output_format(input_format: str, wanted: SelectSettings) -> str:
    """``csv`` or ``json``."""
    return wanted.output_format or ("csv" if input_format == "csv" else "json")


def check_query(input_format: str, wanted: SelectSettings) -> None:
    """Refuse what cannot be asked.

    Raises:
        InvalidConfig: there is no query, or an option is of another format.
    """
    if not wanted.query:
        raise InvalidConfig(
            "select needs --query SQL: orbit select csv s3://bucket/key --query 'SELECT * FROM s3object'"
        )
    is_csv = input_format == "csv"
    foreign = {
        "--use-header": wanted.use_header != _DEFAULTS.use_header and not is_csv,
        "--delimiter": wanted.delimiter != _DEFAULTS.delimiter
        and not is_csv
        and output_format(input_format, wanted) != "csv",
        "--structure": wanted.structure != _DEFAULTS.structure and input_format != "json",
        "--compression": wanted.compression != _DEFAULTS.compression and input_format == "parquet",
    }
    for name, is_foreign in foreign.items():
        if is_foreign:
            raise InvalidConfig(f"{name} has no meaning for {input_format}")


def select_params(key: str, input_format: str, wanted: SelectSettings) -> dict[str, Any]:
    """The parameters of SelectObjectContent for one object."""
    return {
        "Key": key,
        "ExpressionType": "SQL",
        "Expression": wanted.query,
        "InputSerialization": _input(input_format, wanted),
        "OutputSerialization": _output(output_format(input_format, wanted), wanted),
    }


def _input(input_format: str, wanted: SelectSettings) -> dict[str, Any]:
    if input_format == "parquet":
        return {"Parquet": {}}
    if input_format == "json":
        return {"JSON": {"Type": wanted.structure.upper()}, "CompressionType": wanted.compression}
    csv = {"FileHeaderInfo": wanted.use_header, "FieldDelimiter": wanted.delimiter}
    return {"CSV": csv, "CompressionType": wanted.compression}


def _output(name: str, wanted: SelectSettings) -> dict[str, Any]:
    if name == "json":
        return {"JSON": {"RecordDelimiter": "\n"}}
    return {"CSV": {"FieldDelimiter": wanted.delimiter, "RecordDelimiter": "\n"}}
