"""README and manual: every command in them is run here in a toy setting, or is listed with what runs it elsewhere.

A command's line is read by the program's own parser in any case, so that no option is told that does not exist.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader import cli
from grader.contract.course import default_course

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)

# What begins like this is not run here, but by what is named.
ELSEWHERE = {
    "make ": ".ci/run",
    "pip install ": "tests/e2e/test_distribution.py",
    "pytest -n 2 assignments/a2": "tests/integration/test_xdist.py",
    "python tests/attacks/table.py": "tests/attacks",
    "python tests/fuzz/fuzz.py": "tests/fuzz/test_fuzz.py",
    "grader demo": "tests/e2e/test_demo.py",
    "grader bundle": "tests/e2e/test_gradescope.py",
    "grader simulate": "tests/e2e/test_gradescope.py",
    "grader doctor": "tests/integration/test_doctor.py",
    "grader kit": "tests/integration/test_kit.py",
    "grader reference": "tests/integration/test_experiments.py",
    "grader plots": "tests/integration/test_plots.py",
    "grader data": "tests/integration/test_data.py",
    "grader validate": "tests/integration/test_validate.py",
    "grader grade reference/a1 -a a1 --data cifar-10-batches-py": "tests/e2e/test_real_images.py",
    "grader grade SUBMISSIONS -a a2 --device auto": "tests/gpu/test_cuda.py",
    "grader grade SUBMISSIONS -a a2 --require-confinement isolated": "tests/integration/test_doctor.py",
    "grader check mine --watch": "tests/integration/test_cli_student.py",
    "grader check mine --open": "tests/integration/test_cli_student.py",
    "grader --version": "tests/e2e/test_distribution.py",
}

# Commands of others' pages, such as those of a cluster, which have tests of their own.
PAGES_ELSEWHERE = {"docs/cluster.md": "tests/integration/test_cluster.py"}


def commands(page: Path) -> list[str]:
    """The lines of the page's blocks of ``sh``, without comments and without the folder of a program."""
    lines = "\n".join(BLOCK.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ").split("\n")
    bare = (re.sub(r"\s+#.*", "", line).strip() for line in lines)
    return [re.sub(r"^\.venv/bin/", "", line) for line in bare if line and not line.startswith("#")]


ALL = [(page.relative_to(ROOT).as_posix(), line) for page in PAGES for line in commands(page)]
OF_THE_GRADER = [each for each in ALL if each[1].startswith("grader ")]


def elsewhere(line: str) -> str:
    return next((place for start, place in ELSEWHERE.items() if line.startswith(start)), "")


def test_pages_hold_commands():
    assert {page for page, _ in ALL} >= {
        "README.md",
        "docs/instructor.md",
        "docs/student.md",
        "docs/howto/assignment.md",
    }


@pytest.mark.parametrize(("page", "line"), OF_THE_GRADER)
def test_the_parser_takes_every_line(page, line, capsys):
    words = shlex.split(line)[1:]
    try:
        cli._parser().parse_args(words)
    except SystemExit as end:
        assert end.code == 0, f"{page}: {line}: {capsys.readouterr().err}"


def test_what_runs_elsewhere_is_there_and_still_told():
    for start, place in ELSEWHERE.items():
        assert (ROOT / place).exists(), place
        assert any(line.startswith(start) for _, line in ALL), f"{start} is told nowhere any more"


def test_every_command_is_run_somewhere():
    unknown = [
        f"{page}: {line}"
        for page, line in ALL
        if page not in PAGES_ELSEWHERE and not line.startswith("grader ") and not elsewhere(line)
    ]
    assert unknown == []


@pytest.mark.parametrize("page", sorted({page for page, _ in OF_THE_GRADER} - set(PAGES_ELSEWHERE)))
def test_a_page_can_be_followed(page, toy, tmp_path, monkeypatch, address):
    """All commands of a page, one after another in one folder, on the toy course in the place of the installed one."""
    from contextlib import nullcontext

    from grader import cli_class
    from grader.contract import course as of_course

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli_class, "grading", lambda: nullcontext(lambda: address))
    copy = Path(shutil.copytree(toy, tmp_path / "installed"))
    for part in of_course.PARTS:
        (copy / part / "warmup").rename(copy / part / "a2")
        if (copy / part / "series").exists():
            shutil.rmtree(copy / part / "series")
    settings = copy / "assignments" / "a2" / "assignment.toml"
    settings.write_text(settings.read_text().replace('name = "warmup"', 'name = "a2"'))
    monkeypatch.setattr(of_course, "default_course", lambda: of_course.Course(copy))
    for name in ("SUBMISSIONS/ann", "SUBMISSIONS/bob", "my-folder"):
        shutil.copytree(copy / "reference" / "a2", tmp_path / name)
    if page != "docs/howto/course.md":
        cli.main(["assignment", "new", "hw1", "--course", "prepared"])
    for line in (line for where, line in OF_THE_GRADER if where == page):
        if elsewhere(line):
            continue
        if "hw1" in line and "assignment new" not in line and not Path("my-course").exists():
            shutil.copytree("prepared", "my-course")
        words = shlex.split(line.replace("softmax_loss_naive", "dot").replace("linear_classifier", "vectors"))[1:]
        code = cli.main(words)
        assert code == (1 if words[:2] == ["check", "mine"] else 0), line  # in mine, nothing is written yet


def test_the_manual_builds_without_a_warning(tmp_path):
    pytest.importorskip("material")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "manual")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    shown = {page: (tmp_path / "manual" / page).read_text() for page in ("derivations.html", "reference/commands.html")}
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">' in shown["derivations.html"]
    assert "grader assignment new" in shown["reference/commands.html"]
    made = [*shown.values(), *(path.read_text() for path in (tmp_path / "manual" / "reference").glob("*.html"))]
    for text in made:
        assert str(ROOT) not in text
        assert str(Path.home()) + "/" not in text


def test_derivations_name_functions_that_exist():
    text = (ROOT / "docs" / "derivations.md").read_text(encoding="utf-8")
    named = [line for line in text.split("\n") if re.match(r"`a\d: ", line)]
    assert len(named) == text.count("\n## ")
    for line in named:
        for group in line.split(" · "):
            assignment, *_ = re.findall(r"a\d", group)
            for path in re.findall(r"(?:`|: )(\w+\.[\w.]+)`", group):
                module, _, name = path.partition(".")
                assert _defines(default_course().assignment(assignment).reference / f"{module}.py", name), path


def _defines(file: Path, name: str) -> bool:
    from grader.kit.tasks import definitions

    return file.is_file() and name in dict(definitions(file))
