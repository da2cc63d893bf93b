"""``bundle.json``: what the grader in a bundle is told about its course."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


class ManifestError(ValueError):
    """A bundle says nothing usable about itself."""


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds.

    Attributes:
        assignment: name of the assignment.
        grader_version: version of the grader in the bundle.
        digest: hexadecimal SHA-256 of every file that has a say in a verdict.
        seed: from which inputs are drawn, together with the submission: the same one gets the same inputs again.
        data: names of data sets, or paths of their files in the bundle.
    """

    assignment: str
    grader_version: str
    digest: str
    seed: str
    data: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def requests(self, source: Path) -> tuple[str, ...]:
        """The data sets, as names or as paths below ``source``, the folder of the unpacked bundle."""
        return tuple(str(source / each) if "/" in each else each for each in self.data)


def read_manifest(path: Path) -> Manifest:
    """The manifest in the file ``path``. Raises :class:`ManifestError`."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        return Manifest(**{**plain, "data": tuple(plain["data"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ManifestError(f"{path} is no manifest of a bundle ({error}); make the bundle anew.") from error
