"""Students' notebooks, made from ``assignments/NAME/notebooks/MODULE.py``: cells as text, in jupytext's percent format.

jupytext and nbformat are needed to make notebooks and not to hand them out: what is made is committed beside the
students' modules.
"""

from __future__ import annotations

from pathlib import Path

from grader.contract.assignment import NOTEBOOKS
from grader.kit.derived import Derived

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook_from(source: str, name: str) -> str:
    """The text of the notebook ``name`` whose cells ``source`` holds; the same text always gives the same notebook."""
    import jupytext
    import nbformat

    notebook = jupytext.reads(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict({"kernelspec": _KERNEL})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for place, cell in enumerate(notebook.cells):
        cell.id = f"{name}-{place}".replace("_", "-")[-64:]
        cell.metadata = nbformat.from_dict({})
    nbformat.validate(notebook)
    return f"{nbformat.writes(notebook)}\n"


def derive_notebooks(course: Path) -> dict[Path, str]:
    """The text of every notebook of the course, by its path below ``student_template/``."""
    root = course / "assignments"
    return {
        Path(path.parent.parent.name, f"{path.stem}.ipynb"): notebook_from(path.read_text("utf-8"), path.stem)
        for path in sorted(root.glob(f"*/{NOTEBOOKS}/*.py"))
    }


def write_notebooks(course: Path) -> None:
    """Write ``student_template/*/*.ipynb`` anew; those that nothing stands behind are removed."""
    _derived(course).write()


def notebook_differences(course: Path) -> list[str]:
    """One sentence for every notebook in ``student_template`` that is not as :func:`write_notebooks` would leave it."""
    return _derived(course).differences()


def _derived(course: Path) -> Derived:
    return Derived(course / "student_template", "*/*.ipynb", derive_notebooks(course), "source")
