"""What an upload may cost, and the error that ends an intake."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from grader.exits import UsageError

KIB = 1024
MIB = 1024 * KIB


class IntakeError(UsageError):
    """The upload as a whole cannot be graded.

    The text is for whoever handed it in: what was expected, what came, what to do.
    """


@dataclass(frozen=True)
class IntakeLimits:
    """Caps of an intake. Sizes are in bytes.

    Attributes:
        upload_bytes: the uploaded file itself, if it is a file.
        expanded_bytes: everything unpacked from archives, members that are then ignored included.
        total_bytes: everything kept.
        source_bytes: one ``.py`` file, and all code cells of one notebook.
        notebook_bytes: one ``.ipynb`` file, outputs included.
        checkpoint_bytes: one checkpoint.
        nested_bytes: one archive inside the upload.
        members: files and folders in the upload, nested archives included.
        depth: components of a path.
        name_bytes: one component of a path, in UTF-8.
        path_bytes: a whole relative path, in UTF-8.
        ratio: unpacked bytes for each packed byte, looked at once ``ratio_from`` bytes have been unpacked.
        allow_hard_links: accept hard-linked files in a folder. Only for folders that the staff made themselves:
            in a student's folder such a file may be somebody else's.
    """

    upload_bytes: int = 512 * MIB
    expanded_bytes: int = 1024 * MIB
    total_bytes: int = 256 * MIB
    source_bytes: int = MIB
    notebook_bytes: int = 16 * MIB
    checkpoint_bytes: int = 128 * MIB
    nested_bytes: int = 64 * MIB
    members: int = 10_000
    depth: int = 16
    name_bytes: int = 200
    path_bytes: int = 1000
    ratio: int = 200
    ratio_from: int = 8 * MIB
    allow_hard_links: bool = False


class Budget:
    """Counts what one intake has cost so far; every method raises :class:`IntakeError` when a cap is passed."""

    def __init__(self, limits: IntakeLimits) -> None:
        self.limits = limits
        self._members = 0
        self._kept = 0
        self._expanded = 0

    def member(self) -> None:
        """Count one file or folder."""
        self._members += 1
        if self._members > self.limits.members:
            raise too_many_members(self.limits)

    def keep(self, count: int) -> None:
        """Count ``count`` bytes that are written to the private folder."""
        self._kept += count
        if self._kept > self.limits.total_bytes:
            raise IntakeError(
                f"The files to be kept come to more than {human(self.limits.total_bytes)}. "
                "Hand in code and the checkpoints that are asked for, and leave out everything else."
            )

    def expand(self, count: int) -> None:
        """Count ``count`` bytes unpacked from an archive."""
        self._expanded += count
        if self._expanded > self.limits.expanded_bytes:
            raise IntakeError(
                f"The upload unpacks to more than {human(self.limits.expanded_bytes)}. "
                "Hand in code and the checkpoints that are asked for; leave data sets out."
            )


class Expansion:
    """Counts what comes out of one archive of ``packed`` bytes, against the budget and the highest ratio."""

    def __init__(self, budget: Budget, label: str, packed: int) -> None:
        self._budget = budget
        self._label = label
        self._packed = max(packed, 1)
        self._unpacked = 0

    def add(self, count: int) -> None:
        """Count ``count`` unpacked bytes.

        Raises:
            IntakeError: the archive swells like a decompression bomb, or the budget is spent.
        """
        self._unpacked += count
        self._budget.expand(count)
        limits = self._budget.limits
        if self._unpacked > limits.ratio_from and self._unpacked > limits.ratio * self._packed:
            raise IntakeError(
                f"{self._label} grows to more than {limits.ratio} times its size when it is unpacked, which no honest "
                "submission does. Pack only your code and the checkpoints that are asked for."
            )


def too_many_members(limits: IntakeLimits) -> IntakeError:
    """The error for an upload of too many files."""
    return IntakeError(
        f"The upload holds more than {limits.members} files and folders. "
        "Leave out data sets, virtual environments and caches, and hand in only your own files."
    )


def human(count: int) -> str:
    """``count`` bytes as a person writes it: ``1.5 MiB``."""
    if count < KIB:
        return f"{count} bytes"
    if count < MIB:
        return f"{count / KIB:.4g} KiB"
    return f"{count / MIB:.4g} MiB"


def shown(name: str, longest: int = 120) -> str:
    """``name`` safe to print on one line: what is not printable is escaped, what is long is cut."""
    cut = name if len(name) <= longest else f"{name[: longest - 1]}…"
    return "".join(char if _printable(char) else char.encode("unicode_escape").decode("ascii") for char in cut)


def _printable(char: str) -> bool:
    return char == " " or unicodedata.category(char)[0] not in "CZ"
