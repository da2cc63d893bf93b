"""How a container's memory is shared out between the grader, the players, and the data sets."""

from __future__ import annotations

from grader.datasets.kept import DataSet

OWN_MB = 480
"""What the grader's own processes take, in MiB; players get what is left."""

LEAST_PLAYER_MB = 128
"""What a player gets in any case, in MiB: with less, nothing of torch works."""


def player_mb(container_mb: int) -> int:
    """The most that a player may use in a container of this size, in MiB, beyond the files that it maps."""
    return max(container_mb - OWN_MB, LEAST_PLAYER_MB)


def needed_mb(data: DataSet) -> int:
    """What a container needs to grade with a data set, in MiB: while checks prepare images, they hold a part twice.

    Measured with A2's reference: 1,314 MiB for CIFAR-10, for which this says 1,360.
    """
    return OWN_MB + mapped_mb(data) * 5 // 4


def mapped_mb(data: DataSet) -> int:
    """The most that a player maps of a data set, in MiB.

    Images are kept as bytes, and shared as numbers of four bytes.
    """
    return 4 * sum(int(getattr(data, name).nbytes) for name in data.ARRAYS) >> 20
