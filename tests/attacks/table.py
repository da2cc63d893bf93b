"""The table of attacks: contained or not, and by which layer, in every world.

    python tests/attacks/table.py [--world NAME]... [ATTACK...]

Prints Markdown. A cell names the first line of defence of those that an attack's ``expected.toml`` lists and that was
on in that world, or says what the attack gained. Exit code 1 if any attack gained anything.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from pathlib import Path
from typing import Any

from world import WORLDS, lines_of

HERE = Path(__file__).resolve().parent
# Lines of defence that are no layers of confinement, and that every world has.
ALWAYS = {"boundary", "judge", "rules", "intake", "time limit"}


def main() -> int:
    sys.path.insert(0, str(HERE.parent))
    from corpus import cases

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--world", action="append", choices=list(WORLDS), help="which (default: all)")
    parser.add_argument("attacks", nargs="*", help="which (default: all)")
    options = parser.parse_args()
    known = cases(HERE)
    names = options.attacks or list(known)
    worlds = options.world or [name for name in WORLDS if os.geteuid() == 0 or name == "user"]
    found = {world: {str(line["name"]): line for line in lines_of(world, names)} for world in worlds}
    print(f"| attack | row | {' | '.join(worlds)} |\n|---|---|{'---|' * len(worlds)}")
    for name in names:
        cells = [cell(known[name].held_by, found[world].get(name)) for world in worlds]
        print(f"| {name} | {known[name].row} | {' | '.join(cells)} |")
    failed = 0
    print()
    for world in worlds:
        bad = [name for name in names if not contained(found[world].get(name))]
        failed += len(bad)
        level = next((line["layers"].get("level", "?") for line in found[world].values()), "?")
        print(f"- {world} ({WORLDS[world]}; level {level}): {len(names) - len(bad)} of {len(names)} contained")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"- {used.ru_utime + used.ru_stime:.0f} seconds of computing")
    return 1 if failed else 0


def contained(line: dict[str, Any] | None) -> bool:
    return line is not None and not line["problems"]


def cell(held_by: tuple[str, ...], line: dict[str, Any] | None) -> str:
    if line is None:
        return "**no result**"
    if line["problems"]:
        return (
            "**"
            + "; ".join(str(problem)[:80].replace("|", "/").replace("\n", " ") for problem in line["problems"])
            + "**"
        )
    layers = line["layers"]
    on = [name for name in held_by if name in ALWAYS or str(layers.get(name, "")).startswith("on")]
    return on[0] if on else "contained"


if __name__ == "__main__":
    sys.exit(main())
