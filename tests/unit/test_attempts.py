"""Several uploads of one person: which of them counts."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from test_gradescope_results import GOOD, report_of

from grader.contract.course import default_course
from grader.grading.attempts import best, latest
from grader.grading.found import find_class
from grader.grading.job import Finished, Job, Person

ANN = Person("Ann", sid="1")
BOB = Person("Bob", email="bob@x.edu")
HERE = Path()


def job(name: str, person: Person, handed_in: float) -> Job:
    return Job(name, HERE, HERE, person, handed_in)


def finished(name: str, person: Person, handed_in: float, points: float | None) -> Finished:
    report = None if points is None else report_of(replace(GOOD, points=points, max_points=9.0))
    return Finished(job(name, person, handed_in), report, "")


def test_the_latest_attempt_of_each_person_counts():
    jobs = [
        job("ann-2", ANN, 12),
        job("bob", BOB, 1),
        job("ann", Person("Ann Li", sid="1"), 9),
        job("x", Person(), 3),
        job("y", Person(), 4),
        job("eve", Person("Bob"), 5),  # of the same name, and nobody knows whether it is the same Bob
    ]
    kept, told = latest(jobs)
    assert [each.name for each in kept] == ["ann-2", "bob", "x", "y", "eve"]
    assert told == ["Ann: 2 attempts; the latest, ann-2, counts"]


def test_the_best_attempt_counts_and_the_later_of_equals():
    class_ = [
        finished("ann-1", ANN, 1, 3.0),
        finished("ann-2", ANN, 2, 5.0),
        finished("ann-3", ANN, 3, 5.0),
        finished("ann-4", ANN, 4, None),
        finished("bob", BOB, 1, None),
    ]
    kept, told = best(class_)
    assert [each.job.name for each in kept] == ["ann-3", "bob"]
    assert told == ["Ann: 4 attempts; the best, ann-3, counts"]


def test_attempts_are_found_by_the_roster_and_put_in_order_by_their_last_change(tmp_path):
    for name, time in (("jdoe", 2000), ("jdoe-2", 1000), ("bo", 1000)):
        file = tmp_path / "class" / name / "knn.py"
        file.parent.mkdir(parents=True)
        file.write_text("def compute_distances_two_loops(x_train, x_test):\n    raise NotImplementedError\n")
        os.utime(file, (time, time))
    roster = tmp_path / "roster.csv"
    roster.write_text("name,login\nJane,jdoe\nBo,bo\n")
    staging = tmp_path / "staging"
    assignment = default_course().assignment("a1")
    every = find_class([tmp_path / "class"], assignment, tmp_path, staging, roster)
    assert [(each.name, each.person.login) for each in every.jobs] == [
        ("bo", "bo"),
        ("jdoe", "jdoe"),
        ("jdoe-2", "jdoe"),
    ]
    last = find_class([tmp_path / "class"], assignment, tmp_path, staging, roster, only_latest=True)
    assert [each.name for each in last.jobs] == ["bo", "jdoe"]
    assert last.remarks == ("Jane: 2 attempts; the latest, jdoe, counts",)
