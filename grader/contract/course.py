"""A course: a folder that holds ``reference/``, ``assignments/`` and ``student_template/``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from grader.contract.assignment import ANSWERS, Assignment, AssignmentError, read

PARTS = ("reference", "assignments", "student_template")
_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Course:
    """The course in the folder ``root``."""

    root: Path

    @property
    def names(self) -> list[str]:
        """Names of its assignments, sorted."""
        return sorted(path.parent.name for path in (self.root / "assignments").glob("*/assignment.toml"))

    def assignment(self, name: str) -> Assignment:
        """The assignment ``name``.

        Raises:
            AssignmentError: if there is none of that name, or its ``assignment.toml`` is not usable.
        """
        if name not in self.names:
            raise AssignmentError(
                f"The course in {self.root} has no assignment {name!r}; it has: {', '.join(self.names) or 'none'}."
            )
        folder = self.root / "assignments" / name
        content = read(folder / "assignment.toml")
        if content.name != name:
            raise AssignmentError(
                f"{folder / 'assignment.toml'}: name: it is {content.name!r}; write the folder's name, {name!r}."
            )
        return Assignment(content, folder, self.root / "reference" / name, self.root / "student_template" / name)


def whole(course: Course) -> Course:
    """``course``, unless it is what students install. Raises :class:`AssignmentError` there, with what they can do."""
    if any((course.root / "assignments" / name / ANSWERS).is_file() for name in course.names):
        raise AssignmentError(
            f"The course in {course.root} is what students install, without references and hidden checks, and this "
            "command needs the whole course. Students use: grader new, check, handout, submit."
        )
    return course


def default_course() -> Course:
    """The course that is installed with the grader, or that lies beside it in its repository."""
    installed, beside = _PACKAGE / "course", _PACKAGE.parent
    return Course(installed if (installed / "assignments").is_dir() else beside)


def open_course(root: Path | None) -> Course:
    """The course in ``root``, or the default one. Raises :class:`AssignmentError` when ``root`` holds no course."""
    if root is None:
        return default_course()
    if not (root / "assignments").is_dir():
        raise AssignmentError(
            f"{root} holds no course: a folder with reference/, assignments/ and student_template/ was expected."
        )
    return Course(root.resolve())
