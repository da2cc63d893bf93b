"""The last step of a bundle's build: everything that a grading needs is there, or the build fails.

python -m grader.gradescope.smoke AUTOGRADER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from grader.gradescope.manifest import read_manifest
from grader.gradescope.place import BUNDLE, Place


def main(arguments: list[str]) -> int:
    """Imports, opens the course, decodes its data sets, starts what runs submissions. An exception fails the build."""
    place = Place(Path(arguments[0]))
    place.close()
    place.cache.mkdir(mode=0o700, exist_ok=True)
    os.environ["SCRATCHGRADE_CACHE"] = str(place.cache)
    manifest = read_manifest(place.source / BUNDLE)

    from grader.contract.course import open_course
    from grader.datasets.store import Store
    from grader.grading.ready import ready

    with ready() as address:
        from grader.grading import run
        from grader.judge import reference
        from grader.player import confine

        assignment = open_course(place.source / "course").assignment(manifest.assignment)
        reference.load(assignment)
        for request in manifest.requests(place.source):
            print(Store.default(print).open(request).summary)
        layers = confine.probe()
        address()
        print(f"{run.__name__} is ready to grade {assignment.name} with grader {manifest.grader_version}")
    if assignment.digest != manifest.digest:
        raise SystemExit("The course's files are not those of the bundle; make the bundle anew and upload it again.")
    # Another machine may run the image, with other layers: each report says which ones were on.
    print(f"confinement here: {', '.join(layers.on)}; not: {', '.join(layers.off) or 'nothing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
