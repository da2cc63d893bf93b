"""What a grading on Gradescope costs: size of the bundle, time of its build, computing time and memory of a grading.

    python benchmarks/gradescope.py [--without-data] [ASSIGNMENT...]

Needs root and debootstrap, and minutes: each bundle is built in a clean system. The reference is graded under 0.5
processors and 768 MiB. On a busy machine the computing time is what counts: at 0.5 processors it takes twice as long.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from grader.contract.course import default_course
from grader.gradescope.bundle import make
from grader.gradescope.simulation.platform import Platform


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("assignments", nargs="*", metavar="ASSIGNMENT", help="which (default: all)")
    parser.add_argument("--without-data", action="store_true", help="leave out what is trained on shapes10")
    options = parser.parse_args()
    platform, course = Platform.default(), default_course()
    print("assignment    zip, KB    build, s    points    wall, s    computing, s    at 0.5, s    memory, MiB")
    for name in options.assignments or course.names:
        with tempfile.TemporaryDirectory() as folder:
            zipped = Path(folder, f"{name}.zip")
            size = make(course, name, [] if options.without_data else ["shapes10"]).write(zipped)
            with platform.image(zipped) as (image, built):
                outcome = platform.grade(image, course.assignment(name).reference)
        cells = (
            f"{size / 1000:.0f}",
            f"{built:.0f}",
            f"{outcome.results['score']:g}",
            f"{outcome.seconds:.1f}",
            f"{outcome.cpu_seconds:.1f}",
            f"{outcome.cpu_seconds / platform.limits.processors:.0f}",
            f"{outcome.peak_bytes / 2**20:.0f}",
        )
        widths = (11, 12, 10, 11, 16, 13, 15)
        print(f"{name:<10}" + "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)), flush=True)


if __name__ == "__main__":
    main()
