"""A sync is what fifty lines over two dictionaries say it is, and what is unknown is never deleted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import SourceUnreadable
from orbit_fast.core.location import Wildcard
from orbit_fast.core.merge import Merge
from orbit_fast.core.model import Entry
from orbit_fast.core.plan import Mode
from orbit_fast.core.plan import Rule
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.sync import TEMPORARY
from orbit_fast.core.sync import SyncOptions
from orbit_fast.core.sync import SyncPlan
from orbit_fast.core.sync import Unknown

S = 1_000_000_000


def _entry(name, size=1, second=1, storage_class=""):
    return Entry(name, size, second * S, "", storage_class)


def _plan(options, source, dest):
    """What `SyncPlan` makes of two dictionaries, through the merge."""
    merge: Merge = Merge()
    merge.feed_source(sorted(source), [source[name] for name in sorted(source)])
    merge.feed_destination(sorted(dest), [dest[name] for name in sorted(dest)])
    merge.end_source()
    merge.end_destination()
    plan = SyncPlan(options)
    return plan, plan.judge(merge.take())


# --- the model --------------------------------------------------------------------------------------------------------


def _fits(pattern, name):
    """Whether a pattern of ``*``, ``?`` and characters fits: the textbook recursion."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return _fits(pattern[1:], name) or (bool(name) and _fits(pattern, name[1:]))
    return bool(name) and pattern[0] in ("?", name[0]) and _fits(pattern[1:], name[1:])


def _reason(rule, here, there):
    """Why a pair is left alone, ``ask``, or nothing."""
    is_newer, is_same_size = here.mtime_ns // S > there.mtime_ns // S, here.size == there.size
    is_sync, wanted = rule.mode in (Mode.SYNC, Mode.MIRROR), rule.conditions
    is_equal = is_same_size and (rule.size_only or not (rule.checksum or is_newer))
    is_unclear = is_same_size and (rule.checksum or rule.asks_when_newer) and rule.mode is not Mode.COPY
    reasons = [
        (wanted.no_clobber, "exists"),
        (wanted.if_size_differ and is_same_size, "same-size"),
        (wanted.if_source_newer and not is_newer, "not-newer"),
        (rule.mode is Mode.UPDATE and not is_newer, "not-newer"),
        (is_sync and is_equal, "identical"),
        (is_unclear, "ask"),
    ]
    return next((reason for holds, reason in reasons if holds), "")


def _model(options, source, dest):
    """Names to copy, to ask about, to skip with their reasons, and extras, by the words of the manual."""
    chosen, rule = options.selection, options.rule
    copies, asks, skips, extras = set(), set(), {}, set()

    def accepts(name):
        is_wanted = not chosen.include or any(_fits(pattern, name) for pattern in chosen.include)
        return is_wanted and not any(_fits(pattern, name) for pattern in chosen.exclude)

    def is_large_enough(seen):
        return seen.size >= chosen.min_size

    for name in {*source, *dest}:
        here, there = source.get(name), dest.get(name)
        unknown = [each for each, seen in source.items() if isinstance(seen, Unknown)]
        is_hidden = any(name == each or name.startswith(f"{each.rstrip('/')}/") for each in unknown)
        if is_hidden and (here is None or isinstance(here, Unknown)):
            continue
        if here is not None and accepts(name) and is_large_enough(here):
            why = "" if there is None else _reason(rule, here, there)
            if why in ("", "ask") and here.storage_class == "GLACIER":
                why = "glacier"
            if why:
                (asks.add(name) if why == "ask" else skips.update({name: why}))
            else:
                copies.add(name)
        if there is not None and options.deletes:
            is_plain_extra = here is None and accepts(name) and is_large_enough(there)
            if is_plain_extra or (options.deletes_excluded and (here is None or not accepts(name))):
                extras.add(name)
    return copies, asks, skips, extras


NAMES = st.text(alphabet="ab./", min_size=1, max_size=4).filter(lambda name: not name.endswith("/"))
SEEN = st.builds(_entry, NAMES, st.integers(0, 2), st.integers(1, 3), st.sampled_from(["", "", "GLACIER"]))
UNKNOWN = st.just(Unknown("symlink"))
PATTERNS = st.lists(st.text(alphabet="ab*?/", min_size=1, max_size=3), max_size=2).map(tuple)
CONDITIONS = st.builds(
    SelectionSettings, no_clobber=st.booleans(), if_size_differ=st.booleans(), if_source_newer=st.booleans()
)
RULES = st.one_of(
    st.builds(Rule, mode=st.sampled_from(Mode), asks_when_newer=st.booleans(), conditions=CONDITIONS),
    st.builds(
        Rule, mode=st.sampled_from([Mode.SYNC, Mode.MIRROR]), size_only=st.booleans(), asks_when_newer=st.booleans()
    ),
    st.builds(Rule, checksum=st.just(True), conditions=CONDITIONS),
)
OPTIONS = st.builds(
    SyncOptions,
    rule=RULES,
    selection=st.builds(SelectionSettings, include=PATTERNS, exclude=PATTERNS, min_size=st.integers(0, 2)),
    deletes=st.booleans(),
    deletes_excluded=st.booleans(),
    tells_identical=st.just(True),
)


@given(
    options=OPTIONS,
    source=st.dictionaries(NAMES, st.one_of(SEEN, SEEN, SEEN, UNKNOWN), max_size=8),
    dest=st.dictionaries(NAMES, SEEN, max_size=8),
)
def test_against_the_model(options, source, dest) -> None:
    """Any trees, filters, modes and conditions: copies, questions, skips and extras are those of the model."""
    _, judged = _plan(options, source, dest)
    copies, asks, skips, extras = _model(options, source, dest)
    assert {name for name, _ in judged.copies} == copies
    assert {name for name, *_ in judged.asks} == asks
    assert {name: why for name, _, why in judged.skips} == skips
    assert {name for name, _ in judged.extras} == extras
    assert all(name not in source for name in extras - judged.left_out)
    assert judged.identical == list(skips.values()).count("identical")


@given(
    options=OPTIONS,
    source=st.dictionaries(NAMES, st.one_of(SEEN, UNKNOWN), max_size=8),
    dest=st.dictionaries(NAMES, st.one_of(SEEN, UNKNOWN), max_size=8),
)
def test_what_may_never_be_deleted(options, source, dest) -> None:
    """No extra is unknown on any side, lies under something unknown, or is excluded; none is at the source."""
    _, judged = _plan(options, source, dest)
    for name, seen in judged.extras:
        assert options.deletes
        assert not isinstance(seen, Unknown)
        assert not isinstance(source.get(name), Unknown)
        assert not any(
            isinstance(here, Unknown) and name.startswith(each.rstrip("/") + "/") for each, here in source.items()
        )
        if not options.deletes_excluded:
            assert name not in source
            assert not any(_fits(pattern, name) for pattern in options.selection.exclude)


@given(source=st.dictionaries(NAMES, SEEN, max_size=8), rule=RULES)
def test_a_copy_of_everything_is_identical(source, rule) -> None:
    """What a sync has just made equal, the same sync leaves alone: no copy, no extra."""
    options = SyncOptions(rule=rule, deletes=True)
    _, judged = _plan(options, source, source)
    assert not judged.extras
    assert rule.mode is Mode.COPY or not judged.copies


# --- single rules -----------------------------------------------------------------------------------------------------


def test_unknown_protects_its_name_and_what_is_under_it() -> None:
    """A link that is not followed keeps the object and the tree of its name; its neighbours are extras."""
    source = {"a": _entry("a"), "link": Unknown("symlink"), "closed/": Unknown("", SourceUnreadable("no"))}
    names = ["closed/x", "closed/y/z", "closed2", "link", "link-1", "link/deep/x", "link0"]
    _, judged = _plan(SyncOptions(deletes=True, source_is_local=True), source, {name: _entry(name) for name in names})
    assert [name for name, _ in judged.extras] == ["closed2", "link-1", "link0"]
    assert [(name, unknown.reason) for name, unknown in judged.unknown] == [("closed/", ""), ("link", "symlink")]


def test_protection_is_forgotten_when_it_is_passed() -> None:
    """A million skipped links cost no memory: prefixes that lie behind are dropped."""
    plan = SyncPlan(SyncOptions(deletes=True))
    for number in range(1000):
        plan.judge([(f"link{number:06}", Unknown("symlink"), None)])
    assert len(plan._protected) == 1


def test_an_excluded_unknown_is_not_told_and_protects() -> None:
    """Nobody hears of a link that the filters leave out, and what is under it stays."""
    selection = SelectionSettings(exclude=("link",))
    source, dest = {"a": _entry("a"), "link": Unknown("symlink")}, {"link/x": _entry("link/x"), "n": _entry("n")}
    _, judged = _plan(SyncOptions(deletes=True, selection=selection), source, dest)
    assert not judged.unknown
    assert [name for name, _ in judged.extras] == ["n"]


def test_a_file_that_never_became_whole_is_there() -> None:
    """Nobody copies it or hears of it, and its name at the destination is no extra."""
    source, dest = {"t": Unknown(TEMPORARY)}, {"t": _entry("t"), "u": _entry("u")}
    plan, judged = _plan(SyncOptions(deletes=True, source_is_local=True), source, dest)
    assert [name for name, _ in judged.extras] == ["u"]
    assert (judged.copies, judged.unknown, plan.at_source) == ([], [], 0)


def test_what_the_destination_hides_is_told_and_copied_over() -> None:
    """A name at the destination that nobody can look at is no extra, and no reason not to copy."""
    source, dest = {"x": _entry("x")}, {"x": Unknown("symlink"), "y": Unknown("special")}
    plan, judged = _plan(SyncOptions(deletes=True, destination_is_local=True), source, dest)
    assert [name for name, _ in judged.copies] == ["x"]
    assert [name for name, _ in judged.unseen] == ["x", "y"]
    assert not judged.extras
    assert (plan.at_source, plan.at_destination) == (1, 0)


@pytest.mark.parametrize(
    ("local", "source", "dest", "copies", "extras", "identical"),
    [
        ("source", {"d/": 0, "d/x": 1}, {"d/": 0, "e/": 0}, ["d/x"], ["e/"], 0),
        ("source", {"d/": 0}, {}, [], [], 0),
        ("destination", {"d/": 0}, {"d/": 0, "e/": 0, "e/x": 1}, [], ["e/x"], 1),
        ("destination", {"d/": 0}, {}, ["d/"], [], 0),
        ("destination", {"d/": 7}, {"d/": 0}, ["d/"], [], 0),
        ("neither", {"d/": 0}, {"d/": 0, "e/": 0}, [], ["e/"], 1),
        ("neither", {"d/": 3}, {"d/": 0}, ["d/"], [], 0),
    ],
)
def test_directories_and_markers(local, source, dest, copies, extras, identical) -> None:
    """A directory keeps a marker and is made by one; directories are never deleted, markers in S3 are objects."""
    options = SyncOptions(deletes=True, source_is_local=local == "source", destination_is_local=local == "destination")
    plan, judged = _plan(
        options,
        {name: _entry(name, size) for name, size in source.items()},
        {name: _entry(name, size) for name, size in dest.items()},
    )
    assert [name for name, _ in judged.copies] == copies
    assert [name for name, _ in judged.extras] == extras
    assert judged.identical == identical
    assert plan.at_source == sum(not name.endswith("/") for name in source)


def test_a_wildcard_source_sees_only_its_names() -> None:
    """What the wildcard does not match is neither copied nor deleted, not even with --delete-excluded."""
    options = SyncOptions(deletes=True, deletes_excluded=True, scope=Wildcard("te*"))
    source = {name: _entry(name) for name in ("tea", "ten", "toe")}
    dest = {name: _entry(name) for name in ("ten", "test", "two")}
    _, judged = _plan(options, source, dest)
    assert [name for name, _ in judged.copies] == ["tea"]
    assert [name for name, _ in judged.extras] == ["test"]


def test_what_is_only_too_large_is_there() -> None:
    """A limit on sizes leaves out an object of the source, and protects its copy and whatever else is too large."""
    options = SyncOptions(deletes=True, selection=SelectionSettings(max_size=5))
    source = {"big": _entry("big", 9), "small": _entry("small", 1)}
    dest = {"big": _entry("big", 1), "huge": _entry("huge", 9), "tiny": _entry("tiny", 1)}
    plan, judged = _plan(options, source, dest)
    assert [name for name, _ in judged.copies] == ["small"]
    assert [name for name, _ in judged.extras] == ["tiny"]
    assert (plan.at_source, plan.at_destination) == (2, 3)
    _, judged = _plan(
        SyncOptions(deletes=True, deletes_excluded=True, selection=SelectionSettings(max_size=5)), source, dest
    )
    assert [name for name, _ in judged.extras] == ["huge", "tiny"]


def test_identical_names_are_told_where_wanted() -> None:
    """The number always, the names only for -v."""
    tree = {"a": _entry("a"), "b": _entry("b")}
    assert _plan(SyncOptions(), tree, tree)[1].identical == 2
    assert not _plan(SyncOptions(), tree, tree)[1].skips
    assert [name for name, *_ in _plan(SyncOptions(tells_identical=True), tree, tree)[1].skips] == ["a", "b"]
