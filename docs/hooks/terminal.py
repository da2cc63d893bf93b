"""Pictures of the terminal for the manual, as SVG: real commands in a terminal of their own. Run: make pictures.

A student's folder in which one function is wrong is checked with what students install, and a class is graded; what the
commands print, colours and the bar of progress included, becomes the pictures in docs/pictures, for light and for dark.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import _export_format
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from grader import cli_class
from grader.contract.course import Course, default_course
from grader.judge.variants import read_variants, write_variant
from grader.kit.new import lay_out
from grader.kit.students import lay_out_course

COLUMNS = 100
NAME = "a2"
FUNCTION = "softmax_loss_naive"
RIGHT, WRONG = "dW = dW / N + 2 * reg * W", "dW = dW + 2 * reg * W"
PICTURES = Path(__file__).parents[1] / "pictures"
# Black, red, green, yellow, blue, magenta, cyan and white of a terminal, legible on each of the two grounds.
_LIGHT = [(36, 41, 47), (179, 38, 30), (26, 127, 55), (154, 103, 0), (11, 87, 208), (130, 80, 223), (12, 110, 128)]
_DARK = [
    (118, 128, 140),
    (255, 123, 114),
    (74, 194, 107),
    (212, 167, 44),
    (138, 180, 248),
    (188, 140, 255),
    (86, 199, 217),
]
THEMES = {
    "light": TerminalTheme((244, 246, 248), (28, 30, 33), [*_LIGHT, (93, 102, 115)]),
    "dark": TerminalTheme((13, 16, 20), (228, 231, 235), [*_DARK, (228, 231, 235)]),
}
NEW_FRAME = re.compile(r"\r(?:\x1b\[1A)*\x1b\[2K")


def main() -> None:
    course = default_course()
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
        place = Path(folder)
        home = Course(place / "home")
        with cli_class.grading() as address:
            lay_out_course(course, [NAME], home.root, address())
        check(course, home, place)
        grade(course, place)


def check(course: Course, home: Course, place: Path) -> None:
    """A function of which one check fails, at a student's."""
    assignment = course.assignment(NAME)
    lay_out(assignment, place / "mine")
    for spec in assignment.content.modules.values():
        shutil.copy(assignment.reference / spec.file, place / "mine")
    module = place / "mine" / "linear_classifier.py"
    before, _, after = module.read_text(encoding="utf-8").partition(f"def {FUNCTION}")
    module.write_text(f"{before}def {FUNCTION}{after.replace(RIGHT, WRONG, 1)}", encoding="utf-8")
    told = ["grader", "check", "mine", "--only", FUNCTION]
    save("check", told, printed([*told, "--seed", "s", "--course", home.root], place)[-1])


def grade(course: Course, place: Path) -> None:
    """The class of the demonstration, half-way and at its end."""
    assignment = course.assignment(NAME)
    variants = read_variants(assignment.folder / "demo.toml")
    for variant in variants:
        write_variant(variant, assignment, place / "SUBMISSIONS" / variant.name)
    told = ["grader", "grade", "SUBMISSIONS", "-a", NAME, "-o", "out"]
    frames = printed([*told, "--seed", "s", "--jobs", "2"], place)
    half = f"{len(variants) // 2}/{len(variants)}"
    save("grading", told, next(frame for frame in frames if half in frame and "left:" in frame))
    save("grade", told, frames[-1])


def printed(command: Sequence[object], folder: Path) -> list[str]:
    """What a command shows in a terminal: each frame of a bar, and last what is left standing."""
    words = [sys.executable, "-m", "grader.cli", *map(str, command[1:])]
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    ours, theirs = pty.openpty()
    with subprocess.Popen(words, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        text = b"".join(chunks(ours)).decode()
    os.close(ours)
    return [frame.replace("\x1b[?25l", "").replace("\x1b[?25h", "") for frame in NEW_FRAME.split(text)]


def chunks(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # how Linux tells that the other end was closed
            return
        if not chunk:
            return
        yield chunk


def save(name: str, told: Sequence[str], text: str) -> None:
    """Writes ``text`` below the command as it was told, for both kinds of pages."""
    for kind, theme in THEMES.items():
        path = PICTURES / f"{name}-{kind}.svg"
        path.write_text(svg(f"$ {' '.join(told)}", text, theme, f"{name}-{kind}"), encoding="utf-8")
        print(path)


def svg(prompt: str, text: str, theme: TerminalTheme, name: str) -> str:
    console = Console(width=COLUMNS, record=True, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    console.print(Text(prompt, "bold"))
    console.print(Text.from_ansi(text.strip("\r\n").replace("\r\n", "\n")))
    console.print()  # else the last line is cut at its foot
    # Rich's own frame names a font on another server, which no page of ours may ask for.
    frame = re.sub(r"@font-face \{\{.*?\}\}\s*", "", _export_format.CONSOLE_SVG_FORMAT, flags=re.S)
    return console.export_svg(title="", theme=theme, code_format=frame, unique_id=name)


if __name__ == "__main__":
    main()
