"""The arithmetic set: right results, no repetition, and nothing of one part in the other."""

import pytest

from grader.datasets.arithmetic import Operation, Problem, make, problems, split


def test_results():
    assert Problem(3, Operation.ADD, -5).result == -2
    assert Problem(3, Operation.SUBTRACT, -5).result == 8


@pytest.mark.parametrize("digits", [1, 2])
def test_numbers_and_results_have_so_many_digits(digits):
    most = 10**digits - 1
    drawn = problems(200, digits)
    assert len(set(drawn)) == 200
    for problem in drawn:
        assert max(abs(problem.left), abs(problem.right), abs(problem.result)) <= most
    assert max(abs(problem.result) for problem in drawn) > most - 10
    assert {problem.operation for problem in drawn} == set(Operation)
    assert min(p.left for p in drawn) < 0 < max(p.left for p in drawn)


def test_all_problems_of_one_digit_can_be_drawn_and_no_more():
    numbers = range(-9, 10)
    every = {Problem(a, op, b) for a in numbers for b in numbers for op in Operation}
    every = {problem for problem in every if abs(problem.result) <= 9}
    assert set(problems(len(every), 1)) == every
    with pytest.raises(ValueError, match=str(len(every))):
        problems(len(every) + 1, 1)
    with pytest.raises(ValueError, match="at least one digit"):
        problems(1, 0)


def test_a_seed_gives_the_same_list_and_a_smaller_count_its_beginning():
    assert problems(50, seed=3)[:20] == problems(20, seed=3)
    assert problems(20, seed=3) != problems(20, seed=4)


def test_a_problem_lies_in_one_part_only():
    drawn = problems(100)
    train, held_out = split([*drawn, *drawn[:50]], 0.25)
    assert train + held_out == drawn and len(held_out) == 25
    assert not set(train) & set(held_out)


def test_a_set_keeps_its_problems_and_their_parts():
    made = make(100, seed=2)
    train, test = made.problems(made.train), made.problems(made.test)
    assert (len(train), len(test)) == (90, 10) and not set(train) & set(test)
    assert train[0] in problems(1000, seed=2)
    assert 40 < max(max(abs(p.left), abs(p.right)) for p in train + test) <= 49
    assert made.digest == make(100, seed=2).digest != make(100, seed=3).digest
    assert "90 problems to train on and 10 to test on" in made.summary
