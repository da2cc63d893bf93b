"""``grader doctor`` and ``--require-confinement``: what a machine offers, and when nothing is graded."""

from __future__ import annotations

import sys

import pytest

from grader import cli, cli_doctor
from grader.contract.layers import FULL, Layers, Level
from grader.contract.verdict import Status
from grader.judge.prepare import Options

MOST = dict.fromkeys(FULL, "told")


def without(*names: str) -> Layers:
    return Layers({name: text for name, text in MOST.items() if name not in names}, dict.fromkeys(names, "a reason"))


WITHOUT = {
    "nothing": (without(), Level.FULL),
    "namespaces": (without("namespaces", "scratch"), Level.ISOLATED),
    "landlock": (without("landlock"), Level.ISOLATED),
    "a user": (without("uid"), Level.ISOLATED),
    "seccomp": (without("seccomp"), Level.LIMITED),
    "files": (without("uid", "landlock"), Level.LIMITED),
    "limits": (without("limits"), Level.SEPARATE),
    "all": (Layers(off={"all": "win32 has no layer of confinement that this grader knows"}), Level.SEPARATE),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_the_level_and_the_exit_code_follow_the_layers(name, monkeypatch, capsys):
    layers, level = WITHOUT[name]
    monkeypatch.setattr(cli_doctor, "examine", lambda: layers)
    assert layers.level is level
    assert cli.main(["doctor"]) == (0 if level >= Level.ISOLATED else 1)
    said = capsys.readouterr().out
    assert f"level\t{level.name.lower()}\t" in said
    for layer, reason in layers.off.items():
        assert f"{layer}\toff\t{cli_doctor.LAYERS[layer][0]}\t{reason}; {cli_doctor.LAYERS[layer][1]}" in said


def test_a_terminal_shows_a_table(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(cli_doctor, "examine", lambda: without("namespaces", "scratch"))
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "what it protects" in said and "CAP_SYS_ADMIN" in said and "for the level full: namespaces, scratch" in said


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the layers are Linux's")
def test_every_layer_of_this_machine_has_an_explanation():
    found = cli_doctor.examine()
    assert set(found.on) | set(found.off) <= set(cli_doctor.LAYERS)
    assert found.level >= Level.LIMITED


@pytest.mark.parametrize("command", ["grade", "check"])
def test_nothing_is_graded_below_the_level_that_is_required(command, monkeypatch, capsys, toy, tmp_path):
    monkeypatch.setattr(cli_doctor, "examine", lambda: without("seccomp"))
    arguments = [command, str(toy / "reference" / "series"), "-a", "series", "--course", str(toy)]
    arguments += ["-o", str(tmp_path / "out")] if command == "grade" else []
    assert cli.main([*arguments, "--require-confinement", "isolated"]) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "at the level limited, and isolated was required" in errors
    assert not (tmp_path / "out").exists()


def test_a_level_that_there_is_not_is_refused(capsys, toy):
    with pytest.raises(SystemExit) as end:
        cli.main(["grade", str(toy), "-a", "series", "--require-confinement", "armoured"])
    assert end.value.code == 2
    assert "invalid choice: 'armoured'" in capsys.readouterr().err


def test_a_level_that_is_reached_is_in_the_report_and_one_that_is_lost_later_is_our_error(grade, toy, tmp_path):
    reference = toy / "reference" / "series"
    low = {"policy": {"without": ["seccomp"]}, "seed": "s"}
    found = grade(toy, "series", tmp_path / "out", Options(**low), ann=reference)["ann"].report
    assert found is not None and found.environment.confinement["level"] == "limited"
    assert found.score == found.max_score
    found = grade(toy, "series", tmp_path / "out", Options(**low, required="isolated"), bob=reference)["bob"].report
    assert found is not None and {verdict.status for verdict in found.verdicts} == {Status.GRADER_ERROR}
    told = found.verdicts[0].explanation
    assert told is not None and "limited, and isolated was required" in told.evidence
