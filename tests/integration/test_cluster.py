"""A class on the workers of a Dask scheduler: what comes out is what comes out on one machine, whoever dies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from grader.grading.journal import JOURNAL
from grader.grading.parcel import packed, unpacked

dask = pytest.importorskip("dask", reason="Dask is an optional dependency")
pytest.importorskip("distributed", reason="Dask is an optional dependency")

NAMES = [f"student-{number}" for number in range(6)]
DASK = str(Path(sys.executable).with_name("dask"))


@pytest.fixture
def uploads(toy: Path, tmp_path: Path) -> Path:
    for name in NAMES:
        shutil.copytree(toy / "reference" / "series", tmp_path / "class" / name)
    (tmp_path / "class" / NAMES[3] / "sums.py").write_text("def running_sum(x):\n    return x\n")
    return tmp_path / "class"


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + 200
    while not condition():
        assert process is None or process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates for scheduler, worker and client, and a configuration of Dask's that refuses anything else."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run(["openssl", *made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION", "True")
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__CA_FILE", str(certificate))
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        monkeypatch.setenv(f"DASK_DISTRIBUTED__COMM__TLS__{role}__KEY", str(key))
        monkeypatch.setenv(f"DASK_DISTRIBUTED__COMM__TLS__{role}__CERT", str(certificate))


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_a_worker_that_is_killed_costs_nothing(grader, toy, uploads, tmp_path, protocol, request):
    if protocol == "tls":
        if shutil.which("openssl") is None:
            pytest.skip("there is no openssl to make certificates with")
        request.getfixturevalue("tls")
    arguments = ["grade", str(uploads), "-a", "series", "--seed", "s", "-j", "1", "-o"]
    assert grader(*arguments, tmp_path / "one")[0] == 0
    file, journal = tmp_path / "scheduler.json", tmp_path / "many" / JOURNAL
    worker = [DASK, "worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    with ExitStack() as stack:
        scheduler = [DASK, "scheduler", "--host", f"{protocol}://127.0.0.1", "--port", "0", "--no-dashboard"]
        stack.enter_context(running(*scheduler, "--scheduler-file", str(file)))
        wait_until(file.exists)
        workers = [stack.enter_context(running(*worker, "--local-directory", str(tmp_path / n))) for n in "ab"]
        command = [sys.executable, "-m", "grader.cli", *arguments, str(tmp_path / "many"), "--course", str(toy)]
        assert address_in(file).startswith(f"{protocol}://")
        run = stack.enter_context(running(*command, "--scheduler", address_in(file)))
        wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 1, run)
        below = psutil.Process(workers[0].pid).children(recursive=True)
        workers[0].kill()
        workers[0].wait()
        # The station, its zygote, judges and players end with the worker that is gone.
        assert psutil.wait_procs(below, timeout=20)[1] == []
        assert run.wait(200) == 0
    assert journal.read_bytes() == (tmp_path / "one" / JOURNAL).read_bytes()
    reports = [(tmp_path / out / NAMES[3] / "staff.html").exists() for out in ("one", "many")]
    assert reports == [True, True]


def address_in(file: Path) -> str:
    return str(json.loads(file.read_text())["address"])


def test_a_scheduler_that_does_not_answer_is_said_plainly(grader, uploads, tmp_path):
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        code, _, errors = grader(
            "grade", uploads, "-a", "series", "-o", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:1"
        )
    assert code == 2
    assert "the scheduler tcp://127.0.0.1:1 cannot be used" in errors


def test_an_upload_arrives_as_it_was_and_nothing_is_followed(tmp_path):
    upload, secret = tmp_path / "upload", tmp_path / "secret"
    secret.write_text("secret")
    (upload / "deep").mkdir(parents=True)
    (upload / "deep" / "work.py").write_bytes(b"x = 1\r\n")
    (upload / os.fsdecode(b"caf\xe9.py")).write_text("")
    (upload / "link.py").symlink_to(secret)
    os.mkfifo(upload / "pipe")
    parcel = packed(upload)
    assert not [content for _, _, content in parcel if b"secret" in content and content != os.fsencode(secret)]
    (tmp_path / "there").mkdir()
    assert packed(unpacked(parcel, tmp_path / "there")) == parcel
    (tmp_path / "one.zip").write_bytes(b"PK")
    assert unpacked(packed(tmp_path / "one.zip"), tmp_path / "there").read_bytes() == b"PK"
