"""Where things lie in Gradescope's container, and who may read them there."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

BUNDLE = "bundle.json"
ENVIRONMENT = "environment"


@dataclass(frozen=True)
class Place:
    """The platform's folder, ``/autograder`` there."""

    root: Path

    @property
    def source(self) -> Path:
        """What was in the bundle."""
        return self.root / "source"

    @property
    def submission(self) -> Path:
        """What the student handed in."""
        return self.root / "submission"

    @property
    def results(self) -> Path:
        """The file that the platform reads."""
        return self.root / "results" / "results.json"

    @property
    def metadata(self) -> Path:
        """What the platform tells about the submission."""
        return self.root / "submission_metadata.json"

    @property
    def cache(self) -> Path:
        """Decoded data sets, labels included."""
        return self.source / "cache"

    def close(self) -> None:
        """Takes every right of others on what a player must not see; they may pass through ``root`` and not list it.

        What is absent is passed over: the platform makes some of it anew for each submission.

        Raises:
            OSError: where this process may not change a mode.
        """
        os.chmod(self.root, 0o711)  # noqa: S103 - players come through to the Python below it
        for path in (self.source, self.submission, self.results.parent, self.metadata):
            if path.exists():
                path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o077)
