"""The simulated platform: what its harness does around a run, what people see, and how pip's settings travel."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from grader.gradescope.simulation.container import Container, ContainerError, Kind
from grader.gradescope.simulation.harness import LONGEST, Outcome
from grader.gradescope.simulation.inside import Entering
from grader.gradescope.simulation.limits import Group, Limits
from grader.gradescope.simulation.pipsettings import PipSettings, parse, pip_settings
from grader.gradescope.simulation.platform import Platform, sample_metadata
from grader.gradescope.simulation.preview import page
from grader.gradescope.simulation.views import of_staff, of_student

WRITES = "#!/bin/bash\ncat > \"$AUTOGRADER/results/results.json\" <<'END'\n{}\nEND\n"


@pytest.fixture
def graded(tmp_path):
    """``graded(run_autograder, ...)``: what a bundle of two scripts leaves, in a mere folder."""

    def run(script: str, setup: str = "", seconds: float = 30.0, submission: Path | None = None) -> Outcome:
        with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
            for name, text in (("setup.sh", setup), ("run_autograder", script)):
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o100755 << 16
                archive.writestr(info, text)
        (tmp_path / "mine.py").write_text("x = 1\n")
        platform = Platform(tmp_path, Kind.PREFIX, seconds=seconds)
        with platform.image(tmp_path / "bundle.zip") as (image, _):
            return platform.grade(image, submission or tmp_path / "mine.py")

    return run


# -------------------------------------------------------------------------------------------------------------- harness


def test_results_and_what_was_printed_come_back(graded):
    outcome = graded(WRITES.format('{"score": 3}') + "echo printed; echo more >&2\n")
    assert outcome.results == {"score": 3}
    assert (outcome.replaced, outcome.problems, outcome.stdout) == ("", (), "printed\nmore\n")
    assert 0 < outcome.seconds < 30


def test_the_layout_is_the_platforms(graded, tmp_path):
    (tmp_path / "mine" / "part").mkdir(parents=True)
    (tmp_path / "mine" / "part" / "a.py").write_text("")
    lists = '#!/bin/bash\ncd "$AUTOGRADER"; find . -type f | sort; cat submission_metadata.json; echo; pwd\n'
    printed = graded(lists, submission=tmp_path / "mine").stdout.splitlines()
    assert printed[:-2] == [
        "./results/stdout",
        "./run_autograder",
        "./source/run_autograder",
        "./source/setup.sh",
        "./submission/part/a.py",
        "./submission_metadata.json",
    ]
    assert json.loads(printed[-2]).keys() == sample_metadata().keys()


def test_the_token_is_gone_and_the_limit_is_told(graded):
    printed = graded("#!/bin/bash\nenv\n", seconds=77).stdout
    assert "TOKEN" not in printed
    assert "TIMEOUT_SECONDS=77" in printed
    assert "SUBMISSION_URL=" in printed


def test_a_run_that_takes_too_long_loses_its_results(graded):
    outcome = graded(WRITES.format('{"score": 3}') + "while true; do sleep 1; done\n", seconds=0.5)
    assert outcome.results["score"] == 0
    assert "timed out" in outcome.results["output"]
    assert outcome.replaced == "the time limit was reached"
    assert outcome.seconds < 20


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("#!/bin/bash\n", "there is no results.json"),
        (WRITES.format("{broken"), "results.json is no JSON"),
        (WRITES.format('{"score": NaN}'), "holds a number that is not finite"),
        (WRITES.format('{"output": "x"}'), "has neither a score nor tests"),
        (WRITES.format("[]"), "has neither a score nor tests"),
    ],
)
def test_what_cannot_be_used_is_replaced(graded, script, why):
    outcome = graded(script)
    assert why in outcome.replaced
    assert outcome.results["score"] == 0 and "failed to execute" in outcome.results["output"]


def test_what_breaks_the_rules_is_noted_and_cut(graded):
    text = f'{{"score": 1, "output": "{"a" * LONGEST}b", "tests": [{{"score": 1, "status": null}}]}}'
    outcome = graded(WRITES.format(text))
    assert len(outcome.results["output"]) == LONGEST and outcome.results["output"].endswith("b")
    assert any("results.output" in problem for problem in outcome.problems)
    assert any("results.tests[0].status is null" in problem for problem in outcome.problems)


def test_a_build_that_fails_says_so(graded):
    with pytest.raises(ContainerError, match=r"setup\.sh failed with exit code 4; it said:\nno wheels"):
        graded("#!/bin/bash\n", setup="echo no wheels; exit 4\n")


def test_what_is_no_bundle_is_said(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with (
        pytest.raises(ContainerError, match="cannot be unpacked"),
        Platform(tmp_path, Kind.PREFIX).image(tmp_path / "a.zip"),
    ):
        pass
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/setup.sh", "")
    with (
        pytest.raises(ContainerError, match=r"has no setup\.sh and no run_autograder at its root"),
        Platform(tmp_path, Kind.PREFIX).image(tmp_path / "a.zip"),
    ):
        pass


# ------------------------------------------------------------------------------------------------------------ container


def test_entering_names_layers_limits_and_environment(tmp_path):
    settings = PipSettings({"PIP_TIMEOUT": "9"}, (tmp_path / "wheels",))
    image = Container(Kind.DEBOOTSTRAP, (Path("/system"),), tmp_path / "image", settings)
    image.make()
    container = image.layered(tmp_path / "run")
    container.make()
    command, _ = container.command(["run", "it"], {"A": "1"}, ["/groups/x"])
    assert command[0] == "unshare" and command[-2:] == ["run", "it"]
    order = Entering(**json.loads((tmp_path / "run" / "enter.json").read_text()))
    assert order.lower == [str(tmp_path / "image" / "changes"), "/system"]
    assert order.upper == str(tmp_path / "run" / "changes")
    assert order.environment["A"] == "1" and "PIP_TIMEOUT" not in order.environment
    assert (order.folder, order.entrances) == ("/autograder", ["/groups/x"])
    assert str(tmp_path / "wheels") not in order.readable
    image.command(["setup"], {}, pip=True)
    order = Entering(**json.loads((tmp_path / "image" / "enter.json").read_text()))
    assert order.environment["PIP_TIMEOUT"] == "9" and str(tmp_path / "wheels") in order.readable


def test_an_image_on_this_machines_files_is_mounted_first(tmp_path):
    image = Container(Kind.MACHINE, (Path("/"),), tmp_path / "image", PipSettings({}, ()))
    container = image.layered(tmp_path / "run")
    container.make()
    container.command(["run"], {})
    order = Entering(**json.loads((tmp_path / "run" / "enter.json").read_text()))
    assert order.lower == ["/"]
    assert order.below == [str(tmp_path / part) for part in ("image/changes", "image/work", "run/image")]


def test_where_nothing_can_be_limited_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr("grader.gradescope.simulation.limits._MOUNT", tmp_path / "absent")
    with Group(Limits()) as group:
        assert group.entrances == []
        assert "not limited here" in group.unavailable
        group.look()
        assert (group.peak_bytes, group.memory_ran_out, group.cpu_seconds) == (0, 0, 0.0)


@pytest.mark.parametrize("second", [False, True])
def test_limits_are_written_in_the_words_of_the_kernel(monkeypatch, tmp_path, second):
    monkeypatch.setattr("grader.gradescope.simulation.limits._MOUNT", tmp_path)
    for name in ("memory", "cpu", "cpuacct"):
        (tmp_path / name).mkdir()
    if second:
        (tmp_path / "cgroup.controllers").write_text("cpu memory")
    with Group(Limits(100, 0.5)) as group:
        accounts, memory, cpu = group.folders if not second else group.folders * 3
        if second:
            assert (memory / "memory.max").read_text() == str(100 << 20)
            assert (cpu / "cpu.max").read_text() == "50000 100000"
        else:
            assert (memory / "memory.limit_in_bytes").read_text() == str(100 << 20)
            assert (cpu / "cpu.cfs_quota_us").read_text() == "50000"
        usage = "memory.current" if second else "memory.usage_in_bytes"
        (memory / usage).write_text("5000")
        (memory / "memory.stat").write_text(
            "file 1000\nshmem 200\n" + ("" if second else "total_cache 2000\ntotal_shmem 300\n")
        )
        (memory / ("memory.events" if second else "memory.oom_control")).write_text("under_oom 0\noom_kill 3\n")
        usages = ("cpu.stat", "usage_usec 2500000\n") if second else ("cpuacct.usage", "2500000000\n")
        (accounts / usages[0]).write_text(usages[1])
        assert group.cpu_seconds == 2.5
        group.look()
        (memory / usage).write_text("3000")
        group.look()
        assert group.peak_bytes == (4200 if second else 3300)
        assert group.memory_ran_out == 3


# ------------------------------------------------------------------------------------------------------- pip's settings


def test_settings_of_files_and_environment_become_variables(tmp_path):
    (tmp_path / "index" / "simple").mkdir(parents=True)
    (tmp_path / "wheels").mkdir()
    listing = "\n".join(
        [
            f":env:.find-links='{tmp_path / 'wheels'}'",
            "global.find-links='/elsewhere'",
            f"global.extra-index-url='https://one.invalid/simple file://{tmp_path}/index/simple'",
            "install.no-compile='true'",
            "download.progress-bar='off'",
            "global.target='/x'",
            "nonsense",
        ]
    )
    found = parse(listing)
    assert found.variables == {
        "PIP_FIND_LINKS": str(tmp_path / "wheels"),
        "PIP_EXTRA_INDEX_URL": f"https://one.invalid/simple file://{tmp_path}/index/simple",
        "PIP_NO_COMPILE": "true",
    }
    # An index of files refers to what lies beside it.
    assert set(found.paths) == {tmp_path / "wheels", tmp_path / "index"}


def test_this_machines_settings_can_be_read():
    assert all(name.startswith("PIP_") for name in pip_settings().variables)


# ---------------------------------------------------------------------------------------------------------------- views


def results(**changes: Any) -> dict[str, Any]:
    tests = [
        {"number": "1", "name": "adds", "score": 2.0, "max_score": 2.0, "status": "passed", "output": "Passed."},
        {"name": "scales", "score": 1.0, "max_score": 3.0, "status": "failed", "tags": ["core"]},
    ]
    return {"tests": tests, "execution_time": 1.5, "leaderboard": [{"name": "acc", "value": 0.5}], **changes}


def test_both_see_everything_where_all_is_visible():
    student, staff = of_student(results(), "printed"), of_staff(results(), "printed")
    assert student.total == staff.total == 3.0 and student.most == 5.0
    assert [test.title for test in student.tests] == ["1) adds", "2) scales"]
    assert [test.passed for test in student.tests] == [True, False]
    assert student.leaderboard == (("acc", "0.5"),)
    assert (student.stdout, staff.stdout) == ("", "printed")
    assert of_student(results(stdout_visibility="visible"), "printed").stdout == "printed"


def test_a_hidden_test_takes_the_students_total_away():
    content = results(score=3.0)
    content["tests"][1]["visibility"] = "after_due_date"
    student, staff = of_student(content, ""), of_staff(content, "")
    assert (student.total, len(student.tests)) == (None, 1)
    assert (staff.total, len(staff.tests)) == (3.0, 2)
    assert staff.tests[1].remark == "shown after the due date"


def test_visibility_of_the_whole_holds_for_tests_without_their_own():
    content = results(visibility="hidden")
    content["tests"][0]["visibility"] = "visible"
    assert [test.title for test in of_student(content, "").tests] == ["1) adds"]


def test_a_total_of_its_own_overrides_the_sum():
    assert of_student(results(score=4), "").total == 4.0
    assert of_student({"score": 1}, "").tests == ()


@pytest.mark.parametrize(
    "content", [{}, {"tests": None}, {"tests": [3, {"score": "x", "tags": None}], "leaderboard": [1]}]
)
def test_odd_results_can_be_looked_at(content):
    assert of_staff(content, "").total == 0.0
    assert "<html" in page(content, "", "odd")


def test_nothing_in_a_page_acts():
    evil = "<script>alert(1)</script>"
    content = results(output=evil)
    content["tests"][0].update(name=evil, output=evil, output_format="html", tags=[evil])
    text = page(content, evil, evil)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 6
    assert "default-src 'none'" in text


# --------------------------------------------------------------------------------------------------------------- images


@pytest.fixture
def images(tmp_path, monkeypatch):
    """``images(bundle, ...)``: names of the images that are left once each of these bundles has had one built."""
    monkeypatch.setattr("grader.gradescope.simulation.platform.clean_system", lambda folder, suite: folder / "system")

    def build(bundle: Path, container: Container) -> float:
        container.make()
        if bundle.read_text() == "broken":
            raise ContainerError("it does not build")
        return 1.0

    monkeypatch.setattr("grader.gradescope.simulation.platform._build", build)

    def run(*bundles: str) -> list[float]:
        took = []
        for text in bundles:
            (tmp_path / "a.zip").write_text(text)
            with Platform(tmp_path, Kind.DEBOOTSTRAP, suite="x").image(tmp_path / "a.zip") as (container, seconds):
                assert container.changes.is_dir()
                took.append(seconds)
        return took

    return run


def test_an_image_is_built_once(images, tmp_path):
    assert images("a", "b", "a") == [1.0, 1.0, 0.0]


def test_the_images_used_last_are_kept(images, tmp_path):
    images(*"abcdef")
    assert len([path for path in (tmp_path / "images").iterdir() if path.is_dir()]) == 4
    assert images("f", "a") == [0.0, 1.0]


def test_of_a_build_that_fails_nothing_is_left(images, tmp_path):
    with pytest.raises(ContainerError):
        images("broken")
    assert not [path for path in (tmp_path / "images").iterdir() if path.is_dir()]


def test_an_image_is_used_by_several_at_once_and_removed_by_none(images, tmp_path):
    images("a")
    with Platform(tmp_path, Kind.DEBOOTSTRAP, suite="x").image(tmp_path / "a.zip") as (container, _):
        assert images("a") == [0.0]
        images(*"bcdefg")
        assert container.changes.is_dir()
