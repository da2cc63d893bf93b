"""Nothing survives a run: no process, and no file outside the folder of reports, whatever submissions leave about."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
from corpus import Arena

LEAVE_SOMETHING = (
    "quiet_fork_at_import",
    "double_fork",
    "later_writer",
    "left_behind",
    "folders_without_end",
    "many_small_files",
    "kept_between_checks",
)


def graded_by_command(arena: Arena, names: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    """``grader grade`` of these attacks, its temporary files in ``folder / "t"``, its reports in ``folder / "out"``."""
    (folder / "t").mkdir()
    uploads = [str(arena.upload(name, folder.name)) for name in names]
    command = [sys.executable, "-m", "grader.cli", "grade", *uploads, "-a", "warmup", "-o", str(folder / "out")]
    return subprocess.run(
        [*command, "--course", str(arena.course)],
        env={**os.environ, "TMPDIR": str(folder / "t")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_process_and_no_file_is_left(arena: Arena, tmp_path: Path) -> None:
    places = [Path(place) for place in ("/tmp", "/var/tmp", "/dev/shm") if Path(place).is_dir()]
    done = graded_by_command(arena, LEAVE_SOMETHING, tmp_path)
    assert done.returncode == 0, done.stderr
    # Players are forks of the zygote, whose command line names its socket in the temporary folder.
    named = [each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(each.info["cmdline"] or ())]
    _, alive = psutil.wait_procs(named, timeout=5)
    assert alive == []
    assert list((tmp_path / "t").iterdir()) == []
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    of_each = ("report.json", "report.html", "staff.html", "results.json")
    of_class = {"class.html", "class.json", "grades.csv", "junit.xml", "journal.jsonl", ".journal.lock"}
    assert written == {f"{name}/{file}" for name in LEAVE_SOMETHING for file in of_each} | of_class
    ours = {f"{name}-{os.getpid()}" for name in LEAVE_SOMETHING}
    assert not any(path.name in ours for place in places for path in place.iterdir())


def test_folders_too_deep_for_python_are_removed(tmp_path: Path) -> None:
    from grader.judge.folders import bytes_used, empty

    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", 0o300, dir_fd=here)
        below = os.open("d", os.O_PATH, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "file").write_bytes(bytes(10_000))
    assert bytes_used(tmp_path) >= 10_000
    assert bytes_used(tmp_path, most_files=2) == float("inf")
    empty(tmp_path)
    assert list(tmp_path.iterdir()) == [] and Path("/etc").is_dir()
