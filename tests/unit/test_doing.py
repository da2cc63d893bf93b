"""What a run tells about trainings that take long."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from grader.grading.grade import Job
from grader.grading.run import Run
from grader.judge.play import Play


def test_what_a_check_tells_is_what_a_run_shows(tmp_path: Path) -> None:
    run = Run([], setting=None, at_once=2)  # type: ignore[arg-type]
    folders = {name: tmp_path / name for name in ("idle", "busy")}
    for pid, (name, folder) in enumerate(folders.items()):
        folder.mkdir()
        run.judges[pid] = Job(name, folder, folder), folder
    assert run.doing == ""
    play = SimpleNamespace(bench=SimpleNamespace(order=SimpleNamespace(folder=folders["busy"])))
    Play.tell(play, "a training\nhas taken 20 of 600 CPU-seconds")  # type: ignore[arg-type]
    assert run.doing == "busy: a training has taken 20 of 600 CPU-seconds"
    Play.tell(play, "")  # type: ignore[arg-type]
    assert run.doing == ""
