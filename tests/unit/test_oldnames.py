"""Names of earlier years in a submission."""

from pathlib import Path

from grader.judge.submission import Wanted, intake
from grader.judge.uploads.oldnames import in_current_names

OLDER = {"forward": "part1", "backward": "part2"}


def test_definitions_and_uses_are_renamed_and_lines_stay():
    text = "def part1(x):\n    return x  # part1\n\n\ndef part2(x, part1_too=1):\n    return (part1(x), part1)\n"
    renamed, notes = in_current_names(text, OLDER)
    assert renamed.startswith("def forward(x):\n    return x  # part1\n\n\ndef backward(x, part1_too=1):\n")
    assert renamed.endswith("    return (forward(x), forward)\n")
    assert notes == ("part1 was read as forward, its name here.", "part2 was read as backward, its name here.")


def test_attributes_and_strings_keep_their_names():
    text = "def part1(net):\n    'part1'\n    return net.part1 + net. part1\n"
    assert in_current_names(text, OLDER)[0] == text.replace("def part1", "def forward")


def test_a_file_with_both_names_or_neither_stays_as_it_is():
    for text in ("def part1(): pass\ndef forward(): pass\n", "part = 1\n", "def part1(:\n"):
        assert in_current_names(text, OLDER) == (text, ())


def test_an_upload_with_older_names_is_found_by_them_and_read_by_todays(tmp_path: Path):
    upload = tmp_path / "up"
    upload.mkdir()
    (upload / "mine.py").write_text("def part1(): return 1\ndef part2(): return part1()\n")
    wanted = {"net": Wanted("net.py", (), frozenset({"forward", "backward", "train"}), OLDER)}
    source = intake(upload, wanted, tmp_path / "in").modules["net"]
    assert source.text == b"def forward(): return 1\ndef backward(): return forward()\n"
    assert "part1 was read as forward, its name here." in source.notes
