"""Options of an engine: the command's table, in Python's types."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from datetime import timedelta
from pathlib import Path

import pytest

from orbit_fast import Engine
from orbit_fast import InvalidConfig
from orbit_fast import S3Config
from orbit_fast import S3ServerSideEncryption
from orbit_fast import S3StorageClass
from orbit_fast.client.engine_options import VERBS
from orbit_fast.client.engine_options import EngineOptions
from orbit_fast.client.engine_options import _options
from orbit_fast.client.engine_options import read_options
from orbit_fast.core.guard import parse_limit

MIB = 1 << 20


def test_every_option_of_the_table_has_a_type_and_no_other():
    """What the four commands take, an engine takes: but what is of a command line alone."""
    assert set(EngineOptions.__annotations__) == {name for verb in VERBS for name in _options(verb)}


@pytest.mark.parametrize(
    ("verb", "given", "group", "field", "value"),
    [
        ("cp", {"part_size": 8 * MIB}, "transfer", "part_size", 8 * MIB),
        ("cp", {"part_size": "8MiB"}, "transfer", "part_size", 8 * MIB),
        ("cp", {"max_bandwidth": 1000}, "transfer", "max_bandwidth", 1000),
        ("cp", {"timeout": 2}, "network", "timeout_s", 2.0),
        ("cp", {"timeout": 0.25}, "network", "timeout_s", 0.25),
        ("cp", {"timeout": timedelta(minutes=1)}, "network", "timeout_s", 60.0),
        ("cp", {"newer_than": datetime(2026, 1, 31, tzinfo=UTC)}, "selection", "newer_than_ns", 1769817600 * 10**9),
        ("cp", {"include": "*.csv"}, "selection", "include", ("*.csv",)),
        ("cp", {"include": ["*.csv", "*.gz"]}, "selection", "include", ("*.csv", "*.gz")),
        ("cp", {"include": []}, "selection", "include", ()),
        ("cp", {"metadata": {"a": "b=c"}}, "object", "metadata", (("a", "b=c"),)),
        ("cp", {"tags": {"a": "b", "c": ""}}, "object", "tags", (("a", "b"), ("c", ""))),
        ("cp", {"storage_class": S3StorageClass.STANDARD_IA}, "object", "storage_class", "STANDARD_IA"),
        ("cp", {"ca_bundle": Path("/x/ca.pem")}, "source", "ca_bundle", "/x/ca.pem"),
        ("cp", {"request_payer": True}, "dest", "request_payer", "requester"),
        ("cp", {"recursive": False}, "selection", "recursive", False),
        ("cp", {"no_verify": True}, "transfer", "verify", False),
        ("cp", {"source_region": "eu-west-1"}, "source", "region", "eu-west-1"),
        ("cp", {"region": None}, "source", "region", ""),
        ("cp", {"verbose": 1}, "output", "verbose", 1),
        ("sync", {"max_delete": 7}, "sync", "max_delete", parse_limit("7")),
        ("sync", {"max_delete": "5%"}, "sync", "max_delete", parse_limit("5%")),
        ("rm", {"all_versions": True}, "listing", "all_versions", True),
        ("cp", {}, "output", "progress", True),
        ("cp", {"progress": False}, "output", "progress", False),
        ("cp", {}, "output", "json", True),
    ],
)
def test_a_value_is_read_as_the_command_reads_it(verb, given, group, field, value):
    """Texts, and Python's own types beside them."""
    assert getattr(getattr(read_options(verb, None, {}, given), group), field) == value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rekursive": True}, r"rekursive: an engine has no such option \(did you mean recursive\?\)"),
        ({"json": True}, "json: an engine has no such option"),
        ({"delete": True}, "delete: cp has no such option"),
        ({"part_size": "3 parrots"}, "part_size: not a size"),
        ({"part_size": 1}, "part_size: '1B' is less than"),
        ({"part_size": True}, "part_size: True is not what this option takes"),
        ({"recursive": "yes"}, "recursive: 'yes' is not True or False"),
        ({"verbose": "much"}, "verbose: 'much' is not a number"),
        ({"include": 3}, "include: 3 is not text, or several"),
        ({"newer_than": 3}, "newer_than: 3 is not what"),
        ({"workers": 1.5}, "workers: 1.5 is not what"),
        ({"workers": 0}, "workers: '0' is not a whole number"),
        ({"sse_c_key_file": "/no/such"}, "sse_c_key_file: cannot read"),
        ({"quiet": True, "verbose": 1}, "contradict"),
        ({"files_from": "-"}, "files_from: an engine reads no stdin"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(given, message):
    """Before anything is started."""
    with pytest.raises(InvalidConfig, match=message):
        Engine().copy("a", "s3://b/a", **given)


def test_an_engine_s_options_are_for_the_jobs_that_take_them():
    """A job's own win; one that no job takes is refused when the engine is made."""
    general = {"workers": 3, "delete": True, "dry_run": True}
    assert read_options("rm", None, general, {}).output.dry_run
    assert read_options("sync", None, general, {"workers": 5}).transfer.workers == 5
    assert read_options("cp", None, general, {}).operation == "cp"
    with pytest.raises(InvalidConfig, match="did you mean workers"):
        Engine(worker=3)
    with pytest.raises(InvalidConfig, match="max_size"):
        Engine(max_size="large")


def test_a_client_s_configuration_says_what_it_says_beyond_its_defaults():
    """A client's defaults are not an engine's; options win over both."""
    plain = read_options("cp", S3Config("b"), {}, {})
    assert plain == read_options("cp", None, {}, {})
    config = S3Config(
        "b",
        endpoint="http://127.0.0.1:9",
        chunk_size=6 * MIB,
        timeout_seconds=7,
        verify_checksums=False,
        verify_ssl=False,
        force_path_style=True,
        storage_class="STANDARD_IA",
        server_side_encryption=S3ServerSideEncryption.aws_kms("k"),
        multipart_copy_threshold=5 * MIB,
    )
    settings = read_options("cp", config, {}, {})
    client = config.client_settings()
    assert (settings.source, settings.dest) == (client, client)
    assert settings.object == config.job_settings().object
    assert (settings.transfer.part_size, settings.transfer.multipart_copy_threshold) == (6 * MIB, 5 * MIB)
    assert (settings.network.timeout_s, settings.transfer.verify) == (7, False)
    settings = read_options("cp", config, {}, {"part_size": 9 * MIB, "sse": "AES256"})
    assert (settings.transfer.part_size, settings.object.sse) == (9 * MIB, "AES256")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Engine(access_key="A"), "belong together"),
        (lambda: Engine(session_token="t"), "belong together"),
        (lambda: Engine(access_key="A", secret_key="s", aws_profile="p").copy("a", "s3://b/c"), "only one of them"),
        (lambda: Engine().copy([], "s3://b/c"), "copy: nothing is named"),
        (lambda: Engine().delete([]), "delete: nothing is named"),
        (lambda: Engine().copy(["a", ""], "s3://b/c"), "the empty string"),
        (lambda: Engine().copy("-", "s3://b/c"), "no stdin and stdout"),
        (lambda: Engine().delete("b/c"), "names are S3 URLs"),
        (lambda: Engine().delete("s3://b", recursive=True, version_id="v"), "version-id is of one key"),
    ],
)
def test_what_makes_no_job_is_refused(make, message):
    """At the call, not in the process."""
    with pytest.raises(InvalidConfig, match=message):
        make()


def test_keys_are_in_the_process_s_environment_and_nowhere_else(monkeypatch):
    """Those of a configuration, too; a token of the surroundings does not go with other keys."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "stale")
    config = S3Config("b", access_key="AK", secret_key="sekret")
    for engine in (Engine(access_key="AK", secret_key="sekret"), Engine(config)):
        job = engine.copy("a", "s3://b/c")
        assert (job._environment["AWS_ACCESS_KEY_ID"], job._environment["AWS_SECRET_ACCESS_KEY"]) == ("AK", "sekret")
        assert "AWS_SESSION_TOKEN" not in job._environment
        assert "sekret" not in f"{engine!r} {job!r} {job._order!r} {job._order.settings!r}"
    assert Engine().copy("a", "s3://b/c")._environment["AWS_SESSION_TOKEN"] == "stale"
