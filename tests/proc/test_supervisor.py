"""The supervisor and its workers as the processes they are: a worker is killed in every state, and the job is done.

The server stands in this process and holds the request in question; the command and its workers are processes of their
own, killed with SIGKILL from here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

import psutil
import pytest

from orbit_fast.proc.crew import MAX_DEATHS
from orbit_fast.testing import Identity
from orbit_fast.testing import Refusal
from tests.kit.command import descendants
from tests.kit.command import finish
from tests.kit.held_service import BUCKET
from tests.kit.held_service import HeldService

pytestmark = pytest.mark.slow

PART = 5 << 20
LARGE = os.urandom(2 * PART + 1000)
SMALL = os.urandom(3000)
ONE = ("--processes", "1", "--part-size", "5", "--json")
LIMIT_S = 60.0
WORKERS = {"orbit: worker 0", "orbit: worker 1"}


@pytest.fixture
def service(tmp_path_factory):
    """A server, and at its end no multipart upload that nobody completed or aborted."""
    with HeldService(root=tmp_path_factory.mktemp("server")) as service:
        yield service
        assert service.unfinished == 0


def workers(process):
    """The worker processes of a command."""
    return [child for child in descendants(process.pid) if child.name().startswith("orbit:")]


def wait_until(condition, what):
    """Wait for something that another process does."""
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s, what
        threading.Event().wait(0.005)


def kill(process):
    """Kill every worker, and wait until the supervisor has noticed."""
    doomed = workers(process)
    assert doomed
    for worker in doomed:
        worker.kill()
    wait_until(lambda: not any(worker.is_running() for worker in doomed), "a dead worker is reaped")


def temps(directory):
    """Temporary files."""
    return list(directory.rglob(".orbit-*"))


# --- one worker is killed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "held"),
    [
        (len(SMALL), {"operation": "PutObject"}),
        (len(SMALL), {"operation": "PutObject", "is_after": True}),
        (len(LARGE), {"operation": "CreateMultipartUpload", "refusal": "InternalError"}),
        (len(LARGE), {"operation": "UploadPart"}),
        (len(LARGE), {"operation": "UploadPart", "is_after": True}),
        (len(LARGE), {"operation": "CompleteMultipartUpload", "refusal": "InternalError"}),
        (len(LARGE), {"operation": "CompleteMultipartUpload", "is_after": True}),
    ],
    ids=lambda value: "-".join(str(part) for part in value.values()) if isinstance(value, dict) else None,
)
def test_an_upload_survives_its_worker(service, tmp_path, size, held):
    """In whatever state it was: the object is there once and whole, and the exit code is 0."""
    data = LARGE[:size]
    (tmp_path / "f").write_bytes(data)
    request = service.hold(**held)
    with service.orbit(tmp_path).start("cp", "f", f"s3://{BUCKET}/f", *ONE) as process:
        request.wait()
        kill(process)
        request.release()
        result = finish(process)
    result.expect(0)
    assert result.counts == (1, 0, 0)
    assert service.data("f") == data


@pytest.mark.parametrize(
    ("size", "held"),
    [
        (len(SMALL), {"operation": "HeadObject"}),
        (len(SMALL), {"operation": "GetObject"}),
        (len(SMALL), {"operation": "GetObject", "half": True}),
        (len(LARGE), {"operation": "GetObject"}),
        (len(LARGE), {"operation": "GetObject", "half": True}),
    ],
    ids=lambda value: "-".join(str(part) for part in value.values()) if isinstance(value, dict) else None,
)
def test_a_download_survives_its_worker(service, tmp_path, size, held):
    """The file is whole, and what the dead worker left behind is gone."""
    data = LARGE[:size]
    service.server.store.put(BUCKET, "f", data)
    request = service.hold(**held)
    with service.orbit(tmp_path).start("cp", f"s3://{BUCKET}/f", "f", *ONE) as process:
        request.wait()
        kill(process)
        request.release()
        result = finish(process)
    result.expect(0)
    assert (tmp_path / "f").read_bytes() == data
    assert temps(tmp_path) == []


def test_a_download_survives_the_worker_that_began_it(service, tmp_path):
    """The second HEAD is the shared download's first step; its temporary file may or may not be there."""
    service.server.store.put(BUCKET, "f", LARGE)
    first = service.hold("HeadObject")
    with service.orbit(tmp_path).start("cp", f"s3://{BUCKET}/f", "f", *ONE) as process:
        first.wait()
        second = service.hold("HeadObject")
        first.release()
        second.wait()
        kill(process)
        second.release()
        finish(process).expect(0)
    assert (tmp_path / "f").read_bytes() == LARGE
    assert temps(tmp_path) == []


def test_an_idle_worker_is_replaced(service, tmp_path):
    """It dies while the credentials are still being looked for: another one does the work."""
    (tmp_path / "f").write_bytes(SMALL)
    server = service.server
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    keys = f'{{"Version": 1, "AccessKeyId": "{server.access_key}", "SecretAccessKey": "{server.secret_key}"}}'
    (tmp_path / "config").write_text(f"[default]\ncredential_process = cat {gate}\n")
    variables = {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_REGION": "us-east-1"}
    orbit = service.orbit(tmp_path, **variables).with_environment(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    with orbit.start("cp", "f", f"s3://{BUCKET}/f", *ONE) as process:
        wait_until(lambda: any("worker" in worker.name() for worker in workers(process)), "a worker starts early")
        doomed = [worker for worker in workers(process) if "worker" in worker.name()]
        for worker in doomed:
            worker.kill()
        wait_until(lambda: not any(worker.is_running() for worker in doomed), "a dead worker is reaped")
        gate.write_text(keys)
        finish(process).expect(0)
    assert service.data("f") == SMALL


def test_one_of_two_workers_dies_and_the_other_goes_on(service, tmp_path):
    """Hundreds of files, and a worker killed in the middle: everything arrives."""
    source = tmp_path / "src"
    source.mkdir()
    for number in range(300):
        (source / f"{number:03}").write_bytes(SMALL[:number])
    request = service.hold("PutObject", key="p/150")
    with service.orbit(tmp_path).start("cp", "-R", "src", f"s3://{BUCKET}/p", "--processes", "2", "--json") as process:
        request.wait()
        workers(process)[0].kill()
        request.release()
        result = finish(process)
    result.expect(0)
    assert result.counts == (300, 0, 0)
    assert all(service.data(f"p/{number:03}") == SMALL[:number] for number in range(300))


def test_a_worker_that_talks_nonsense_or_hangs_up_is_replaced(service, tmp_path):
    """SIGTERM and SIGINT to a worker mean nothing: only its supervisor ends it."""
    (tmp_path / "f").write_bytes(SMALL)
    request = service.hold("PutObject")
    with service.orbit(tmp_path).start("cp", "f", f"s3://{BUCKET}/f", *ONE) as process:
        request.wait()
        [worker] = workers(process)
        worker.send_signal(signal.SIGTERM)
        worker.send_signal(signal.SIGINT)
        request.release()
        result = finish(process)
    result.expect(0)
    assert len(service.logged("PutObject")) == 1


# --- workers die again and again ------------------------------------------------------------------------------------


def killing(service, operation):
    """Every request of this kind kills the workers of the command whose process is given later."""
    target = []

    def strike(request):
        if target and request.operation == operation:
            for worker in workers(target[0]):
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.kill()
            raise Refusal("InternalError")

    service.on_request = strike
    return target


def test_a_crash_loop_of_workers_ends_the_job(service, tmp_path):
    """Whatever the reason, it is not this object's: exit code 2, at once, and a line that says what happened."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "f").write_bytes(SMALL)
    first = service.hold("ListObjectsV2")
    target = killing(service, "ListObjectsV2")
    with service.orbit(tmp_path).start("cp", "-R", "src", f"s3://{BUCKET}/p", *ONE) as process:
        first.wait()
        target.append(process)
        started_s = time.monotonic()
        first.release()
        result = finish(process)
    result.expect(2)
    [failure] = result.failures
    assert failure["code"] == "E_WORKER_LOST"
    assert str(MAX_DEATHS) in failure["error"]
    assert time.monotonic() - started_s < 20


def test_an_object_that_kills_workers_is_given_up(service, tmp_path):
    """Three times, then the others go on without it; nothing of it is left in the way."""
    for key in ("p/bad", "p/good"):
        service.server.store.put(BUCKET, key, SMALL)
    held = [service.hold("GetObject", key="p/bad", half=True) for _ in range(3)]
    with service.orbit(tmp_path).start("cp", "-R", f"s3://{BUCKET}/p/", "out", *ONE) as process:
        for request in held:
            request.wait()
            kill(process)
        result = finish(process)
    result.expect(1)
    [failure] = result.failures
    assert (failure["code"], failure["source"]) == ("E_WORKER_LOST", f"s3://{BUCKET}/p/bad")
    assert result.counts == (1, 0, 1)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good"]


# --- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [len(SMALL), len(LARGE)])
def test_a_worker_that_cannot_clean_up_is_cleaned_up_after(service, tmp_path, size):
    """It is stopped when the job is interrupted, and killed: the supervisor removes its temporary file."""
    service.server.store.put(BUCKET, "f", LARGE[:size])
    request = service.hold("GetObject", half=True)
    with service.orbit(tmp_path).start("cp", f"s3://{BUCKET}/f", "f", *ONE) as process:
        request.wait()
        wait_until(lambda: temps(tmp_path), "the download has begun")
        [worker] = workers(process)
        worker.suspend()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)  # the second wish, by another number: equal ones may become one
        result = finish(process)
    assert result.code in {130, 143}
    assert temps(tmp_path) == []
    assert not (tmp_path / "f").exists()


def test_an_interrupted_upload_is_aborted(service, tmp_path):
    """The parts are called back and the upload goes; nothing is billed."""
    (tmp_path / "f").write_bytes(LARGE)
    request = service.hold("UploadPart")
    with service.orbit(tmp_path).start("cp", "f", f"s3://{BUCKET}/f", *ONE) as process:
        request.wait()
        process.send_signal(signal.SIGTERM)
        result = finish(process)
    assert (result.code, result.summary["interrupted"]) == (143, True)
    assert service.unfinished == 0
    assert service.data("f") is None


# --- memory ----------------------------------------------------------------------------------------------------------


def test_large_uploads_pass_through_one_slot_a_worker(service, tmp_path):
    """As little memory as there can be is slow, and no dead end."""
    (tmp_path / "src").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "src" / name).write_bytes(LARGE)
    memory = ("--max-memory", "16MiB", "--processes", "16", "--part-size", "5", "--json")
    result = service.orbit(tmp_path)("cp", "-R", "src", f"s3://{BUCKET}/p", *memory)
    result.expect(0)
    assert [service.data(f"p/{name}") == LARGE for name in ("a", "b", "c")] == [True] * 3


# --- repairs ---------------------------------------------------------------------------------------------------------


def rotating(service, tmp_path, *, new):
    """A command whose keys stand in a file; they expire at the first PutObject, and `new` ones are written there."""
    path = tmp_path / "credentials"

    def write(key, secret):
        beside = path.with_suffix(".new")
        beside.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
        beside.replace(path)

    server = service.server
    write(server.access_key, server.secret_key)
    server.identities["NEWKEY"] = Identity(access_key="NEWKEY", secret_key="new-secret")
    old = f"Credential={server.access_key}/"

    def expire(request):
        if request.operation == "PutObject" and old in request.headers["authorization"]:
            write(*new)
            raise Refusal("ExpiredToken")

    service.on_request = expire
    variables = {"AWS_SHARED_CREDENTIALS_FILE": str(path), "AWS_REGION": "us-east-1"}
    return service.orbit(tmp_path, **variables).with_environment(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)


def test_credentials_that_expire_under_way_are_renewed_for_all(service, tmp_path):
    """Whoever gives them is asked again; what was refused is sent again, by every worker."""
    (tmp_path / "src").mkdir()
    for number in range(100):
        (tmp_path / "src" / f"{number}").write_bytes(SMALL)
    orbit = rotating(service, tmp_path, new=("NEWKEY", "new-secret"))
    result = orbit("cp", "-R", "src", f"s3://{BUCKET}/p", "--processes", "2", "--json")
    result.expect(0)
    assert result.counts == (100, 0, 0)
    good = [entry for entry in service.logged("PutObject") if entry.status == 200]
    assert len(good) == 100
    assert all("Credential=NEWKEY/" in entry.headers["authorization"] for entry in good)


def test_credentials_that_stay_expired_end_the_job(service, tmp_path):
    """The same ones come back: nothing else will help, exit code 2, at once."""
    (tmp_path / "f").write_bytes(SMALL)
    orbit = rotating(service, tmp_path, new=(service.server.access_key, service.server.secret_key))
    result = orbit("cp", "f", f"s3://{BUCKET}/f", *ONE)
    result.expect(2)
    assert [failure["code"] for failure in result.failures] == ["ExpiredToken"]


def test_the_region_is_learned_once_and_told_to_all(tmp_path):
    """The first refusal names it; workers that start later are not refused any more."""
    (tmp_path / "src").mkdir()
    for number in range(600):
        (tmp_path / "src" / f"{number}").write_bytes(SMALL[:100])
    both = threading.Event()
    with HeldService(root=tmp_path, region="eu-west-7") as service:
        service.on_request = lambda _: both.wait(LIMIT_S)
        many = ("cp", "-R", "src", f"s3://{BUCKET}/p", "--processes", "2", "--json")
        with service.orbit(tmp_path).start(*many) as process:
            wait_until(lambda: {worker.name() for worker in workers(process)} >= WORKERS, "both have started")
            both.set()
            result = finish(process)
        refused = [entry for entry in service.server.store.log if entry.status == 400]
    result.expect(0)
    assert result.counts == (600, 0, 0)
    assert {event["process"] for event in result.done} <= {0, 1}
    assert [entry.code for entry in refused] == ["AuthorizationHeaderMalformed"]


# --- objects that change ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("new", [LARGE[::-1], LARGE + LARGE, SMALL], ids=["same size", "larger", "smaller"])
def test_an_object_that_is_replaced_while_it_is_read_is_read_again(service, tmp_path, new):
    """No mixture of two versions: the download starts over with the one that is there now."""
    service.server.store.put(BUCKET, "f", LARGE)
    request = service.hold("GetObject")
    with service.orbit(tmp_path).start("cp", f"s3://{BUCKET}/f", "f", *ONE) as process:
        request.wait()
        service.server.store.put(BUCKET, "f", new)
        request.release()
        result = finish(process)
    result.expect(0)
    assert (tmp_path / "f").read_bytes() == new
    assert temps(tmp_path) == []


def test_an_upload_that_somebody_aborts_starts_over(service, tmp_path):
    """NoSuchUpload on a part: a fresh upload, once."""
    (tmp_path / "f").write_bytes(LARGE)
    request = service.hold("UploadPart")
    with service.orbit(tmp_path).start("cp", "f", f"s3://{BUCKET}/f", *ONE) as process:
        request.wait()
        service.server.store.bucket(BUCKET).uploads.clear()
        request.release()
        result = finish(process)
    result.expect(0)
    assert service.data("f") == LARGE
    assert len(service.logged("CreateMultipartUpload")) == 2


def test_a_file_that_changes_under_way_is_uploaded_anew(service, tmp_path):
    """As it is then, also when it is of another size; what had begun is aborted."""
    later = LARGE[::-1] + b"and more"
    (tmp_path / "f").write_bytes(LARGE)
    request = service.hold("UploadPart")
    with service.orbit(tmp_path).start("cp", "f", f"s3://{BUCKET}/f", *ONE) as process:
        request.wait()
        (tmp_path / "f").write_bytes(later)
        request.release()
        result = finish(process)
    result.expect(0)
    assert service.data("f") == later
    assert service.unfinished == 0
    assert result.done[0]["size"] == len(later)
