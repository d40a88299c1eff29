"""Names in S3: what is asked, what is remembered, and for how long."""

from __future__ import annotations

import stat

import pytest
from msgspec.structs import replace

from orbit_fast.cli import lookup
from orbit_fast.cli.lookup import KEPT_S
from orbit_fast.cli.lookup import Names
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings

KEYS = {
    "": ("a", "docs/"),
    "docs/": ("docs/", "docs/a", "docs/b", "docs/sub/"),
    "do": ("docs/",),
    "docs/a": ("docs/a",),
}


class Service:
    """Answers from `KEYS`, and remembers the questions."""

    def __init__(self):
        self.asked = []
        self.is_whole = True
        self.error = None

    def __call__(self, settings, bucket, prefix):
        """The names, and whether there are no more."""
        self.asked.append((bucket, prefix))
        if self.error:
            raise self.error
        return (KEYS[prefix] if bucket else ("bkt/", "bucket/", "other/")), self.is_whole


@pytest.fixture
def service(monkeypatch):
    """A service that is asked."""
    service = Service()
    monkeypatch.setattr("orbit_fast.cli.asking.ask", service)
    return service


@pytest.fixture
def names(tmp_path):
    """Looks names up for a command with default settings, at a time."""

    def at(now_s=1000.0, **variables):
        return Names(settings=JobSettings(), variables={"HOME": str(tmp_path), **variables}, now_s=now_s)

    return at


def test_buckets(service, names):
    """All buckets are asked for once; those that begin so are told."""
    assert names().find("s3://") == ("s3://bkt/", "s3://bucket/", "s3://other/")
    assert names().find("s3://b") == ("s3://bkt/", "s3://bucket/")
    assert names().find("s3://zzz") == ()
    assert service.asked == [("", "")]


def test_keys_one_level(service, names):
    """Keys and prefixes of one level are told, without the level's own marker; the level is asked for once."""
    assert names().find("s3://bkt/") == ("s3://bkt/a", "s3://bkt/docs/")
    assert names().find("s3://bkt/docs/") == ("s3://bkt/docs/a", "s3://bkt/docs/b", "s3://bkt/docs/sub/")
    assert names().find("s3://bkt/docs/a") == ("s3://bkt/docs/a",)
    assert service.asked == [("bkt", ""), ("bkt", "docs/")]


def test_begun_names_are_asked_for_themselves(service, names):
    """Where the level is not known, or too large, the service looks for what is typed."""
    assert names().find("s3://bkt/do") == ("s3://bkt/docs/",)
    service.is_whole = False
    names().find("s3://bkt/docs/")
    assert names().find("s3://bkt/docs/a") == ("s3://bkt/docs/a",)
    assert service.asked == [("bkt", "do"), ("bkt", "docs/"), ("bkt", "docs/a")]


def test_answers_are_kept_for_a_minute(service, names):
    """An answer is believed for a minute, not longer, and not when it comes from the future."""
    for now_s in (1000.0, 1000.0 + KEPT_S - 1, 1000.0 + KEPT_S, 900.0):
        names(now_s).find("s3://")
    assert len(service.asked) == 3


def test_another_way_is_another_question(service, names):
    """Other settings or other variables of AWS's are not answered from the same cache; other variables are."""
    names().find("s3://")
    names(TERM="x").find("s3://")
    assert len(service.asked) == 1
    names(AWS_PROFILE="p").find("s3://")
    other = replace(JobSettings(), source=ClientSettings(region="x"))
    Names(settings=other, variables=names().variables, now_s=1000.0).find("s3://")
    assert len(service.asked) == 3


def test_cache_is_private(service, names, tmp_path):
    """Names are readable by their owner alone, and lie in the XDG cache directory."""
    names().find("s3://")
    names(XDG_CACHE_HOME=str(tmp_path / "xdg")).find("s3://")
    for directory in (tmp_path / ".cache", tmp_path / "xdg"):
        (file,) = (directory / "orbit" / "completion").iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b'{"names": 1, "is_whole": true, "at_s": 1000}'])
def test_damaged_cache_is_asked_again(service, names, tmp_path, content):
    """A file that is no answer is as good as none."""
    names().find("s3://")
    (file,) = (tmp_path / ".cache/orbit/completion").iterdir()
    file.write_bytes(content)
    assert names().find("s3://b") == ("s3://bkt/", "s3://bucket/")
    assert len(service.asked) == 2


def test_no_cache_is_no_trouble(service, names, tmp_path):
    """Without a home, and where the cache cannot be written, the service is asked every time."""
    (tmp_path / "file").write_bytes(b"")
    for variables in ({"HOME": ""}, {"XDG_CACHE_HOME": str(tmp_path / "file")}):
        for _ in range(2):
            assert len(names(**variables).find("s3://")) == 3
    assert len(service.asked) == 4


def test_cache_stays_small(service, names, tmp_path, monkeypatch):
    """Of many answers the oldest go."""
    monkeypatch.setattr(lookup, "_MOST_FILES", 3)
    for number in range(6):
        names(AWS_PROFILE=str(number)).find("s3://")
    assert len(list((tmp_path / ".cache/orbit/completion").iterdir())) == 3


def test_names_that_cannot_be_shown_are_left_out(service, names, monkeypatch):
    """A name with control characters would break the shell's line."""
    monkeypatch.setitem(KEYS, "", ("a\nb", "c\x1b[31m", "tab\t", "good"))
    assert names().find("s3://bkt/") == ("s3://bkt/good",)


def test_failures_are_not_kept(service, names):
    """A service that does not answer is asked again the next time."""
    service.error = InvalidConfig("no")
    with pytest.raises(InvalidConfig):
        names().find("s3://")
    service.error = None
    assert len(names().find("s3://")) == 3
