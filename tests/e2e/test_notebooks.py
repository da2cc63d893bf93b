"""The students' notebooks: committed as they are made, and each runs from top to bottom on the reference."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grader.contract.course import default_course
from grader.kit.new import lay_out

nbformat = pytest.importorskip("nbformat")
COURSE = default_course()
NOTEBOOKS = sorted(COURSE.root.glob("student_template/*/*.ipynb"))


def test_every_module_has_its_notebook():
    asked = {
        (name, Path(spec.file).stem)
        for name in COURSE.names
        for spec in COURSE.assignment(name).content.modules.values()
    }
    assert {(path.parent.name, path.stem) for path in NOTEBOOKS} == asked


def test_what_is_committed_follows_from_the_sources():
    pytest.importorskip("jupytext")
    from grader.kit.notebook import notebook_differences

    assert notebook_differences(COURSE.root) == [], "run: make template"


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[] if path.stem == "knn" else pytest.mark.slow, id=path.stem) for path in NOTEBOOKS],
)
def test_it_runs_from_top_to_bottom_with_the_reference_pasted_in(path, tmp_path, monkeypatch):
    pytest.importorskip("ipykernel")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    assignment = COURSE.assignment(path.parent.name)
    lay_out(assignment, tmp_path / "mine")
    for spec in assignment.content.modules.values():
        shutil.copy(assignment.reference / spec.file, tmp_path / "mine")
    notebook = nbformat.read(tmp_path / "mine" / path.name, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path / "mine")}})
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
