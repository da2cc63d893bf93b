"""Files in ``student_template`` that follow from other files of a course, and are committed all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Derived:
    """What files of one kind should hold.

    Attributes:
        root: the folder ``student_template``.
        pattern: which files in it are of this kind.
        made: path below ``root`` -> text.
        origin: what they follow from, in a word.
    """

    root: Path
    pattern: str
    made: Mapping[Path, str]
    origin: str

    def write(self) -> None:
        """Writes all of them anew; those that nothing stands behind are removed."""
        for path in self._present() - self.made.keys():
            (self.root / path).unlink()
        for path, text in self.made.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(text.encode())

    def differences(self) -> list[str]:
        """One sentence for every file that is not as :meth:`write` would leave it."""
        present, made = self._present(), self.made.keys()
        changed = [path for path in made & present if (self.root / path).read_bytes() != self.made[path].encode()]
        return [
            *(f"{self.root / path} has no {self.origin} behind it." for path in sorted(present - made)),
            *(f"{self.root / path} is missing." for path in sorted(made - present)),
            *(f"{self.root / path} differs from what its {self.origin} gives." for path in sorted(changed)),
        ]

    def _present(self) -> set[Path]:
        return {path.relative_to(self.root) for path in self.root.glob(self.pattern)}
