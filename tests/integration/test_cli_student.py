"""A student at work: parts of a check, checks at every save, the page in a browser, packing, the handout."""

from __future__ import annotations

import shutil
import threading
import webbrowser
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from grader.cli_student import LEVELS
from grader.contract.wording import Telling
from grader.kit import watch


@pytest.fixture
def mine(toy, tmp_path):
    """A student's folder in which all is right."""
    return Path(shutil.copytree(toy / "reference" / "warmup", tmp_path / "mine"))


@pytest.mark.parametrize(
    ("name", "points"), [("dot", 4), ("1", 4), ("vectors.*", 8), ("Line", 5), ("Line.fit", 5), ("?o?", 4)]
)
def test_only_some_functions_are_checked(grader, mine, name, points):
    code, output, _ = grader("check", mine, "--only", name)
    assert code == 0
    assert f"{points} of {points} points" in output


def test_the_levels_are_those_of_the_wording():
    assert [level.value for level in Telling] == list(LEVELS)


def test_a_name_that_fits_nothing_is_refused(grader, mine):
    code, _, errors = grader("check", mine, "--only", "cross")
    assert code == 2
    assert "--only cross fits no function of warmup; there are: dot, norms, unit, Line.fit" in errors


def test_levels_of_hints(grader, mine, tmp_path, monkeypatch):
    """Told: how it ended; then what is wrong, and a hint; then also the numbers; on the page, too."""
    monkeypatch.setattr(webbrowser, "open", lambda address: True)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache"))
    page = tmp_path / "cache" / "check" / "warmup.html"
    vectors = mine / "vectors.py"
    vectors.write_text(vectors.read_text().replace("(x * y).sum()", "2 * (x * y).sum()"))
    told = {}
    for level in LEVELS:
        code, told[level], _ = grader("check", mine, "--only", "dot", "--seed", "s", "--hint", level, "--open")
        assert code == 1
        told[level] += page.read_text()
    assert all("dot returns the inner product." in text and "wrong" in text for text in told.values())
    parts = [[word in told[level] for word in ("dot is", "Hint: ", "Expected: ")] for level in LEVELS]
    assert parts == [[False, False, False], [True, True, False], [True, True, True]], told
    code, _, errors = grader("check", mine, "--hint", "all")
    assert code == 2
    assert "choose from" in errors


def test_a_save_checks_what_it_touched(grader, mine, monkeypatch):
    """The first save breaks norms, the second mends it, the third is an interruption."""
    vectors = mine / "vectors.py"
    right = vectors.read_text()
    texts = iter([right.replace("(X * X)", "(X + X)"), right])

    def saves(path: Path) -> Iterator[None]:
        yield
        text = next(texts, None)
        if text is None:
            raise KeyboardInterrupt
        vectors.write_text(text)
        yield

    monkeypatch.setattr(watch, "saves", saves)
    code, output, errors = grader("check", mine, "--watch")
    assert code == 0
    first, broken, mended = output.split(" points\n")[:1] + output.split("altogether ")[1:]
    assert first.endswith("13 of 13")
    assert "0 of 2 points" in output
    assert broken.startswith("11 of 13 points")
    assert mended.startswith("13 of 13 points")
    assert output.count("dot returns the inner product.") == 1
    assert output.count("norms returns the length of every row") == 3
    assert errors.count("waiting for a save") == 3


def test_a_save_is_noticed_once_the_watcher_is_at_work(mine):
    before = threading.active_count()
    with closing(watch.saves(mine)) as told:
        next(told)
        (mine / "notes.txt").write_text("of no interest")
        (mine / "vectors.py").write_text("x = 1\n")
        next(told)
    assert threading.active_count() == before


def test_the_page_opens(grader, mine, tmp_path, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    assert grader("check", mine, "--only", "dot", "--open")[0] == 0
    (address,) = opened
    page = tmp_path / "cache" / "scratchgrade" / "check" / "warmup.html"
    assert address == page.resolve().as_uri()
    assert "dot returns the inner product." in page.read_text()


def test_submit_packs_beside_the_folder_and_tells_what_is_missing(grader, mine):
    code, output, _ = grader("submit", mine)
    assert code == 0
    with zipfile.ZipFile(mine.parent / "warmup-submission.zip") as archive:
        assert archive.namelist() == ["vectors.py", "fitting.py", "manifest.json"]
    assert "vectors.py" in output
    (mine / "fitting.py").unlink()
    code, output, _ = grader("submit", mine, "-o", mine.parent / "part.zip")
    assert code == 1
    assert "fitting.py is missing." in output
    assert (mine.parent / "part.zip").is_file()


def test_what_has_to_be_written_is_told_once(grader, toy):
    code, output, _ = grader("check", toy / "student_template" / "warmup", "--only", "dot")
    assert code == 1
    assert output.count("not written  ") == 2
    assert " ".join(output.split()).count("Multiply the entries, and add the products up.") == 1


def test_what_is_not_written_is_named_file_by_file(grader, toy, tmp_path):
    code, output, _ = grader("submit", toy / "student_template" / "warmup", "-o", tmp_path / "mine.zip")
    assert code == 0
    assert "Not written yet in vectors.py: dot, norms, unit\n" in output
    assert "Not written yet in fitting.py: Line.fit" in output


def test_what_is_packed_can_be_checked(grader, mine):
    assert grader("submit", mine)[0] == 0
    code, output, _ = grader("check", mine.parent / "warmup-submission.zip", "-a", "warmup")
    assert code == 0
    assert "13 of 13 points" in output


def test_the_handout_is_printed_or_written(grader, tmp_path):
    code, output, _ = grader("handout", "warmup")
    assert code == 0
    assert output.startswith("# WARMUP: Vectors and a straight line")
    assert grader("handout", "warmup", "-o", tmp_path / "told")[0] == 0
    assert sorted(path.name for path in (tmp_path / "told").iterdir()) == ["warmup.html", "warmup.md"]
