"""A bundle in a clean system made by debootstrap: built, graded, and looked at for every fault. Minutes; needs root.

make test-gradescope
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from grader.contract.course import Course
from grader.gradescope.bundle import make
from grader.gradescope.simulation import harness
from grader.gradescope.simulation.container import Container, Kind, best_kind
from grader.gradescope.simulation.limits import Limits
from grader.gradescope.simulation.platform import Platform, sample_metadata

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(best_kind() is not Kind.DEBOOTSTRAP, reason="needs root, unshare and debootstrap"),
]

TESTS = Path(__file__).parents[1]
TOY = TESTS / "toy_course"
REFERENCE = TOY / "reference" / "series"
SCHEMA = json.loads((TESTS / "schemas" / "gradescope_results.schema.json").read_text())
PLATFORM = Platform.default(limits=Limits(768, 0.5))
MOST_BYTES = 700 * 2**20

SPY = """\
import os
import torch


def running_sum(x):
    found = []
    for path in {paths!r}:
        try:
            found.append(open(path, "rb").read(20))
        except OSError:
            pass
    raise ValueError(f"spied: {{found}} {{sorted(os.environ)}}")
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Iterator[Container]:
    """What a bundle of the toy course's ``series`` builds."""
    bundle = tmp_path_factory.mktemp("bundle") / "series.zip"
    make(Course(TOY), "series", seed="known-seed").write(bundle)
    with PLATFORM.image(bundle) as (built, _):
        yield built


@pytest.fixture
def grade(image, tmp_path) -> Callable[..., harness.Outcome]:
    """``grade(file=text or bytes, ...)``: what becomes of these files, held to the schema."""

    def run(
        files: dict[str, str | bytes], metadata: dict[str, Any] | None = None, platform: Platform = PLATFORM
    ) -> harness.Outcome:
        folder = tmp_path / "upload"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return held(platform.grade(image, folder, metadata))

    return run


def held(outcome: harness.Outcome) -> harness.Outcome:
    jsonschema.Draft202012Validator(SCHEMA).validate(outcome.results)
    assert (outcome.replaced, outcome.problems) == ("", ()), outcome.stdout
    assert outcome.peak_bytes <= MOST_BYTES
    return outcome


def reference() -> dict[str, str | bytes]:
    return {path.name: path.read_bytes() for path in REFERENCE.glob("*.py")}


def outputs(outcome: harness.Outcome) -> str:
    return "\n".join(test["output"] for test in outcome.results["tests"])


# ------------------------------------------------------------------------------------------------------------- sound


def test_the_reference_earns_everything(grade):
    outcome = grade(reference())
    assert outcome.results["score"] == 5
    assert outcome.results["extra_data"]["complete"]
    assert outcome.cpu_seconds <= 60 * PLATFORM.limits.processors
    assert "Seed: known-seed" in outcome.stdout
    assert "Confinement, uid: on" in outcome.stdout


def test_the_command_grades_and_leaves_what_people_see(tmp_path):
    """``grader bundle`` and ``grader simulate``, with metadata that hold next to nothing."""
    for command in (
        ["bundle", "series", "-o", tmp_path / "s.zip", "--seed", "known-seed", "--course", TOY],
        ["simulate", tmp_path / "s.zip", REFERENCE, "--metadata", tmp_path / "m.json", "-o", tmp_path / "out"],
    ):
        (tmp_path / "m.json").write_text('{"created_at": null, "users": [{}]}')
        run = subprocess.run(
            [sys.executable, "-m", "grader.cli", *map(str, command)], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout + run.stderr
    assert "The student sees 5 points, 2 tests" in run.stdout
    assert "Metadata: created_at" in run.stdout + (tmp_path / "out" / "stdout").read_text()
    assert json.loads((tmp_path / "out" / "results.json").read_text())["score"] == 5
    assert "Staff see" in (tmp_path / "out" / "preview.html").read_text()


# ------------------------------------------------------------------------------------------------------------- rights


def hidden_files(image: Container) -> list[str]:
    """Paths, in the container, of everything that no submission may read."""
    root = image.place.source
    return [f"/autograder/source/{path.relative_to(root)}" for path in root.rglob("*") if path.is_file()]


def test_a_players_user_reads_nothing_that_is_hidden(image, tmp_path):
    """By file modes alone: not every kernel has more than those."""
    container = image.layered(tmp_path / "container")
    container.make()
    harness.hand_in(container, REFERENCE, sample_metadata())
    shown = [*hidden_files(image), "/autograder/submission/sums.py", "/autograder/submission_metadata.json"]
    # Modes are set when a submission is graded, before anything of it runs.
    script = container.place.root / "run_autograder"
    script.write_text(
        "#!/bin/bash\n"
        f"{container.inner}/environment/bin/python -I -c 'from pathlib import Path\n"
        "from grader.gradescope.place import Place\n"
        f'Place(Path("{container.inner}")).close()\'\n'
        "exec setpriv --reuid=60000 --regid=60000 --clear-groups bash -c '"
        'for file in "$@"; do cat "$file" >/dev/null 2>&1 && echo "READ $file"; done; '
        'ls /autograder && echo LISTED; cat "$0" >/dev/null && echo control\' '
        f"/autograder/environment/pyvenv.cfg {' '.join(shown)}\n"
    )
    script.chmod(0o755)
    printed = harness.run(container, PLATFORM.limits, 300).stdout
    assert "READ" not in printed and "LISTED" not in printed
    assert "control" in printed


def test_a_submission_finds_neither_files_nor_keys(grade, image):
    outcome = grade({"sums.py": SPY.format(paths=[*hidden_files(image), "/proc/1/environ", "/proc/self/environ"])})
    assert "spied: []" in outputs(outcome)
    for word in ("known-seed", "SUBMISSION_URL", "BASIC_AUTH", "TIMEOUT_SECONDS"):
        assert word not in json.dumps(outcome.results)


# ------------------------------------------------------------------------------------------------------------- faults


def test_code_that_never_ends(grade):
    outcome = grade({"sums.py": "import torch\n\n\ndef running_sum(x):\n    while True:\n        pass\n"})
    assert outcome.results["score"] == 0
    assert "time limit" in outputs(outcome) or "longer" in outputs(outcome) or "seconds" in outputs(outcome)
    assert outcome.results["extra_data"]["complete"]


def test_a_platform_that_gives_too_little_time(grade):
    short = Platform.default(limits=PLATFORM.limits, seconds=40)
    outcome = grade({"sums.py": "import time\n\n\ndef running_sum(x):\n    time.sleep(3600)\n"}, platform=short)
    assert outcome.seconds < 40
    assert "staff" in outcome.results["output"] or "did not run" in outcome.results["output"]


@pytest.mark.parametrize("grow", ["torch.zeros(2**34)", "[bytearray(2**20) for _ in range(2**12)]"])
def test_memory_without_end(grade, grow):
    outcome = grade({"sums.py": f"import torch\n\n\ndef running_sum(x):\n    return {grow}\n"})
    assert outcome.results["score"] == 0
    assert "memory" in outputs(outcome)
    assert outcome.results["extra_data"]["complete"]


def test_no_files_and_wrong_files(grade, image, tmp_path):
    outcome = grade({"notes.txt": "Dear staff,"})
    assert outcome.results["score"] == 0
    assert "notes.txt" in outcome.results["output"] and "notes.txt" in outputs(outcome)
    (tmp_path / "empty").mkdir()
    outcome = held(PLATFORM.grade(image, tmp_path / "empty"))
    assert outcome.results["score"] == 0 and outcome.results["output"]
    assert len(outcome.results["tests"]) >= 2


def test_a_corrupt_archive(grade):
    outcome = grade({"sums.zip": b"PK\x03\x04 this is no archive"})
    assert outcome.results["score"] == 0
    assert "sums.zip" in outcome.results["output"]


def test_an_upload_of_200_megabytes(grade):
    outcome = grade({**reference(), "data.bin": os.urandom(1 << 20) * 200})
    assert outcome.results["score"] == 5
    assert "data.bin" in outcome.results["output"]


def test_a_bug_in_a_check(image, tmp_path):
    container = image.layered(tmp_path / "container")
    container.make()
    name = Path("course/assignments/series/test_sums.py")
    changed = container.place.source / name
    changed.parent.mkdir(parents=True)
    text = (image.place.source / name).read_text()
    changed.write_text(text.replace("x = draw.normal(8)", "x = draw.normal(8) / no_such_name"))
    harness.hand_in(container, REFERENCE, sample_metadata())
    outcome = harness.run(container, PLATFORM.limits, 120)
    jsonschema.Draft202012Validator(SCHEMA).validate(outcome.results)
    assert "The grader itself failed on 1 check (2.1)." in outcome.results["output"]
    assert outcome.results["score"] == 2
    assert outcome.results["extra_data"]["complete"] is False
    assert "NameError" in outcome.stdout and "NameError" not in json.dumps(outcome.results)
