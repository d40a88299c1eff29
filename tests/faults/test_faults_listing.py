"""Listings that lie, break off or go in circles, as far as they are read for downloads; and keys as names of files.

Rows without a test here:

===  ==================================================================================================================
L6   keys that the service hides: one listing cannot show what is not in it, and a copy destroys nothing for it; what a
     sync does before it deletes, see `test_faults_deletion`.
L8   100,000 common prefixes: copies list without a delimiter.
L9   mass deletion, L11 a change before a deletion, L12 filters that protect: see `test_faults_sync`.
L10  delete markers: a sync that deletes from a versioned bucket leaves them, which is how such a bucket keeps objects.
===  ==================================================================================================================
"""

from __future__ import annotations

import pytest

from tests.kit import faults_actions as act
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import LARGE
from tests.kit.faults import ALWAYS
from tests.kit.faults import Rule
from tests.kit.faults_verdict import Aim
from tests.kit.trees import content

LIST = "ListObjectsV2"
NAMES = [f"f{number:02}" for number in range(10)]
PAGES = pytest.mark.parametrize("page", [1, 3])
VERSIONS = pytest.mark.parametrize("options", [(), ("--use-list-objects-v1",)], ids=["v2", "v1"])
ANY_LIST = "ListObjects ListObjectsV2"


@pytest.fixture
def tree(lab):
    """Ten objects, three on a page; a listing under ``p/``."""
    data = {name: content(number, 200) for number, name in enumerate(NAMES)}
    for name, one in data.items():
        lab.put(f"p/{name}", one)
    lab.put("q/outside", b"not asked for")
    lab.plan.page_size = 3
    return data


def fetch(lab, tree, *options, **how):
    """Download what is under ``p/``."""
    return lab.download_all(tree, *options, prefix="p/", **how)


BROKEN = {
    "500": act.error(code="InternalError", status=500),
    "503": act.error(code="SlowDown", status=503),
    "reset": act.reset(),
    "short": act.cut(keep=200),
    "nothing": act.cut(keep=0),
    "cut XML": act.resize(keep=400),
    "cut chunks": act.chunked(keep=400),
    "no last tag": act.edit(pattern="</ListBucketResult>", to=""),
}


@PAGES
@VERSIONS
@pytest.mark.parametrize("how", BROKEN)
def test_l1_a_page_that_fails_once_is_asked_for_again(lab, tree, how, options, page):
    """Whatever goes wrong with a page once, the listing is whole in the end."""
    lab.plan.add(Rule(action=BROKEN[how], operation=ANY_LIST, nth=page))
    fetch(lab, tree, *options).right()


@PAGES
@pytest.mark.parametrize("how", [*BROKEN, "403"])
def test_l1_a_page_that_fails_for_ever_is_no_listing(lab, tree, how, page):
    """A listing that cannot be had to its end makes the job fail; what was copied from its first pages stays."""
    action = BROKEN.get(how) or act.error(code="AccessDenied", status=403)
    lab.plan.add(Rule(action=action, operation=LIST, nth=page, times=ALWAYS))
    run = fetch(lab, tree).failed(2)
    if page == 3:
        assert run.result.summary["files_copied"] == 6


EMPTY = {
    "nothing": act.reply(),
    "html": act.html(),
    "error": act.reply(
        body="<?xml version='1.0'?><Error><Code>InternalError</Code><Message>x</Message></Error>",
        headers={"content-type": "application/xml"},
    ),
    "other root": act.reply(body="<?xml version='1.0'?><ListAllMyBucketsResult/>"),
    "bare root": act.reply(body="<?xml version='1.0'?><ListBucketResult/>"),
    "json": act.reply(body='{"keys": []}', headers={"content-type": "application/json"}),
    "204": act.reply(status=204),
}


@PAGES
@pytest.mark.parametrize("how", EMPTY)
def test_l2_an_answer_without_a_listing_is_no_empty_listing(lab, tree, how, page):
    """200 with nothing, a web page, an error document or another document is not "there is nothing"."""
    lab.plan.add(Rule(action=EMPTY[how], operation=LIST, nth=page, times=ALWAYS))
    run = fetch(lab, tree).failed(2)
    if how == "html":
        assert run.failure["code"] == "E_NOT_S3"


@pytest.mark.parametrize("how", EMPTY)
def test_l2_such_an_answer_once_is_overcome(lab, tree, how):
    """Once, it is asked for again."""
    lab.plan.add(Rule(action=EMPTY[how], operation=LIST, nth=2))
    fetch(lab, tree).right()


def test_l3_more_without_a_token_is_no_whole_listing(lab, tree):
    """IsTruncated without a token: what follows cannot be asked for, so the listing is not whole."""
    edit = act.edit(pattern="<NextContinuationToken>.*?</NextContinuationToken>", to="")
    lab.plan.add(Rule(action=edit, operation=LIST, nth=2, times=ALWAYS))
    fetch(lab, tree).failed(2, "E_BAD_LISTING")


def test_l4_the_first_page_again_and_again_ends(lab, tree):
    """The service takes no notice of the token and sends the first page for ever."""
    lab.plan.add(Rule(action=act.query(drop=["continuation-token"]), operation=LIST, times=ALWAYS))
    fetch(lab, tree).failed(2, "E_BAD_LISTING", "E_LIST_LOOP")
    assert lab.plan.count(LIST) < 20


def test_l4_the_same_token_without_keys_ends(lab, tree):
    """Empty pages with the same token for ever end the listing as a failure."""
    body = (
        "<?xml version='1.0'?><ListBucketResult><Name>faulty</Name><Prefix>p/</Prefix><KeyCount>0</KeyCount>"
        "<MaxKeys>3</MaxKeys><IsTruncated>true</IsTruncated><NextContinuationToken>same</NextContinuationToken>"
        "</ListBucketResult>"
    )
    lab.plan.add(Rule(action=act.reply(body=body), operation=LIST, times=ALWAYS))
    fetch(lab, tree).failed(2, "E_BAD_LISTING", "E_LIST_LOOP")
    assert lab.plan.count(LIST) < 20


LIES = {
    "no IsTruncated": act.edit(pattern="<IsTruncated>.*?</IsTruncated>", to=""),
    "IsTruncated=maybe": act.edit(pattern="<IsTruncated>.*?</IsTruncated>", to="<IsTruncated>maybe</IsTruncated>"),
    "too many counted": act.edit(pattern="<KeyCount>[0-9]+<", to="<KeyCount>7<"),
    "order": act.edit(pattern="<Key>p/f01</Key>", to="<Key>p/f03x</Key>"),
    "twice": act.edit(pattern="<Key>p/f01</Key>", to="<Key>p/f00</Key>"),
    "outside": act.edit(pattern="<Key>p/f02</Key>", to="<Key>q/outside</Key>"),
    "no size": act.edit(pattern="<Size>.*?</Size>", to="", count=1),
    "negative size": act.edit(pattern="<Size>.*?</Size>", to="<Size>-1</Size>", count=1),
    "no key": act.edit(pattern="<Key>p/f01</Key>", to=""),
    "entity": act.edit(
        pattern=r"\?>\s*<ListBucketResult", to='?><!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult', count=1
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_l5_a_page_that_contradicts_itself_is_no_listing(lab, tree, lie):
    """Each contradiction makes the listing one that cannot be believed."""
    lab.plan.add(Rule(action=LIES[lie], operation=LIST, times=ALWAYS))
    fetch(lab, tree).failed(2, "E_BAD_LISTING", "E_BAD_RESPONSE")


@pytest.mark.parametrize("lie", LIES)
def test_l5_such_a_page_once_is_overcome(lab, tree, lie):
    """Once, the page is asked for again."""
    lab.plan.add(Rule(action=LIES[lie], operation=LIST))
    fetch(lab, tree).right()


def test_l5_a_page_that_begins_before_the_last_one_ended_is_no_listing(lab, tree):
    """A second page with a key of the first one."""
    edit = act.edit(pattern="<Key>p/f03</Key>", to="<Key>p/f02</Key>")
    lab.plan.add(Rule(action=edit, operation=LIST, nth=2, times=ALWAYS))
    fetch(lab, tree).failed(2, "E_BAD_LISTING")


CODED = ["a+b", "50%25", "with space", "100%", "q?&=#", "plus+%2Bplus", "\u00fc\u00e9", "tilde~"]


@VERSIONS
@pytest.mark.parametrize("is_ignored", [False, True], ids=["coded", "plain"])
def test_l7_keys_are_decoded_only_if_they_are_coded(lab, is_ignored, options):
    """``+`` and ``%`` in keys survive, whether the service takes notice of encoding-type or not."""
    data = {name: content(number, 100) for number, name in enumerate(CODED)}
    for name, one in data.items():
        lab.put(f"p/{name}", one)
    if is_ignored:
        lab.plan.add(Rule(action=act.query(drop=["encoding-type"]), operation=ANY_LIST, times=ALWAYS))
    fetch(lab, data, *options).right()


@VERSIONS
def test_l8_one_key_on_a_page(lab, tree, options):
    """Pages of one key each are a listing like another."""
    lab.plan.page_size = 1
    fetch(lab, tree, *options).right()
    assert lab.plan.count(ANY_LIST) >= len(tree)


def test_l8_empty_pages_in_between(lab, tree):
    """Pages without keys that lead on to others are tolerated."""
    hops = {}

    def detour(request):
        token = request.query.get("continuation-token", "")
        if token in hops:
            request.query["continuation-token"] = hops[token]
            return None
        if not token:
            return None
        hop = f"hop-{len(hops)}"
        hops[hop] = token
        body = (
            "<?xml version='1.0'?><ListBucketResult><Name>faulty</Name><Prefix>p/</Prefix><KeyCount>0</KeyCount>"
            "<MaxKeys>3</MaxKeys><IsTruncated>true</IsTruncated>"
            f"<NextContinuationToken>{hop}</NextContinuationToken></ListBucketResult>"
        )
        return act.HttpResponse(body=act.Content.of(body.encode()))

    lab.plan.add(Rule(action=act.handle(run=detour), operation=LIST, times=ALWAYS))
    fetch(lab, tree).right()
    assert len(hops) >= 3  # more where the service was so slow that stretches were listed side by side


# --- keys and paths ---------------------------------------------------------------------------------------------------


def refuses(lab, bad, *codes, good=("good",)):
    """Keys that have no place below the target fail alone; nothing is anywhere else."""
    data = {name: content(1, 100) for name in good}
    for name in (*good, *bad):
        lab.put(f"p/{name}", content(1, 100))
    before = {path for path in lab.directory.rglob("*") if lab.target not in path.parents}
    run = lab.download_all(data, prefix="p/")
    assert run.code == 1, run.report()
    assert run.verdict.is_right, run.report()
    assert not run.verdict.litter, run.report()
    assert {event["code"] for event in run.result.failures} <= set(codes), run.report()
    assert len(run.result.failures) == len(bad), run.report()
    assert {path for path in lab.directory.rglob("*") if lab.target not in path.parents} == before


UNSAFE = ["../escape", "a/../../x", "..", ".", "./dot", "a/./b", "a/..", "../../tmp/orbit-escape"]


@pytest.mark.parametrize("key", UNSAFE)
def test_f1_keys_that_lead_out_are_refused(lab, key):
    """``..`` and ``.`` are never followed and never normalised away."""
    refuses(lab, [key], "E_PATH_UNSAFE")


@pytest.mark.parametrize("key", ["/abs", "//dbl", "a//b", "a//"])
def test_f2_keys_with_empty_components_are_refused(lab, key):
    """An empty component has no local name, and two keys never land on one."""
    refuses(lab, [key], "E_PATH_UNSAFE")


@pytest.mark.parametrize("children", [(), ("dir/a", "dir/b")])
def test_f3_a_marker_is_a_directory(lab, children):
    """An empty ``dir/`` is a directory, with and without something in it."""
    lab.put("p/dir/", b"")
    data = {name: content(1, 100) for name in children}
    for name, one in data.items():
        lab.put(f"p/{name}", one)
    lab.download_all(data, prefix="p/").right()
    assert (lab.target / "dir").is_dir()


def test_f3_a_marker_with_bytes_is_refused(lab):
    """``dir/`` that holds bytes is neither a directory nor a file."""
    refuses(lab, ["dir/"], "E_DIR_MARKER_DATA")


@pytest.mark.parametrize("page_size", [0, 1])
def test_f4_a_file_where_a_directory_is_needed_is_told(lab, page_size):
    """``f`` and ``f/g`` cannot both be there: the loser is told, nothing is lost silently."""
    lab.plan.page_size = page_size
    one, two = content(1, 100), content(2, 100)
    lab.put("p/f", one)
    lab.put("p/f/g", two)
    run = lab.download_all({}, prefix="p/")
    assert run.code == 1, run.report()
    assert {event["code"] for event in run.result.failures} == {"E_FILE_DIR_CONFLICT"}, run.report()
    found = {str(path.relative_to(lab.target)) for path in lab.target.rglob("*") if path.is_file()}
    assert len(found) + len(run.result.failures) == 2, run.report()
    assert found <= {"f", "f/g"}


ODD = {
    "f5": ["new\nline", "tab\there", "bell\x07", "del\x7f", "esc\x1b[31m", "c1\u0085"],
    "f7": ["<&>\"'", "]]>", "&amp;", "a<b>c"],
    "f8": ["back\\slash", "%2e%2e%2f", "%2F", "..%2f..", "a%00b"],
    "f10": ["caf\u00e9", "cafe\u0301"],
    "f11": ["CON", "nul.txt", "dot.", "space ", "a:b", "pipe|"],
    "f12": ["-rf", "--help", "~", "~root", "s3:", "$HOME", "`id`", "*", "?"],
}


@pytest.mark.parametrize("row", ODD)
@pytest.mark.parametrize("is_large", [False, True], ids=["small", "large"])
def test_f5_f7_f8_f10_f11_f12_odd_names_go_both_ways(lab, row, is_large):
    """Control characters, XML's own, percents, both forms of accents, other systems' words: literal on both ways."""
    names = ODD[row][:1] if is_large else ODD[row]
    size = LARGE if is_large else 100
    data = {name: lab.file(name, size, number) for number, name in enumerate(names)}
    up = lab.run(Aim(wanted=data, bucket=BUCKET), "--recursive", lab.source, f"s3://{BUCKET}/").right()
    assert up.result.counts == (len(names), 0, 0)
    lab.download_all(data).right()


def test_f6_nul_has_no_local_name(lab):
    """A key with NUL in it is refused."""
    refuses(lab, ["a\0b"], "E_PATH_UNSAFE")


def test_f6_a_local_name_that_is_not_utf8_is_told(lab):
    """A file whose name is no UTF-8 fails alone: keys are UTF-8."""
    data = {"good": lab.file("good", 100)}
    with open(bytes(lab.source) + b"/bad-\xff", "wb") as file:
        file.write(b"x")
    run = lab.run(Aim(wanted=data, bucket=BUCKET), "--recursive", lab.source, f"s3://{BUCKET}/")
    assert run.code == 1, run.report()
    assert run.verdict.is_right, run.report()
    assert [event["code"] for event in run.result.failures] == ["E_INVALID_KEY"]


def test_f9_names_that_the_disk_does_not_take_are_told(lab):
    """A component of 300 bytes fails alone."""
    refuses(lab, ["x" * 300], "E_NAME_TOO_LONG")


def test_f9_a_key_of_1024_bytes_goes_both_ways(lab):
    """The longest key is no problem of its own."""
    name = "/".join(["k" * 203] * 5)
    assert len(name) <= 1024
    data = {name: content(1, 100)}
    lab.put(name, data[name])
    lab.download_all(data).right()


def test_f13_a_prefix_ends_at_a_slash(lab):
    """``s3://b/logs`` means the key and what is under ``logs/``; ``s3://b/logs/`` only the latter; never ``logs2``."""
    under = {"a": content(1, 50), "b": content(2, 50)}
    for name, one in under.items():
        lab.put(f"logs/{name}", one)
    lab.put("logs2/c", b"x")
    lab.put("logsd", b"x")
    lab.download_all(under, prefix="logs/").right()
    (lab.target / "a").unlink()
    (lab.target / "b").unlink()
    lab.download_all(under, prefix="logs").right()
