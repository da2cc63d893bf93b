"""The inputs of checks: fresh for each submission and check, the same again, and well conditioned."""

import random

import pytest
import torch

from grader.judge.draw import Draw


def fresh(submission: str = "ada", check: str = "1.1", secret: bytes = b"secret") -> Draw:
    return Draw(secret, submission, check)


def test_same_names_draw_the_same_and_others_do_not():
    first = fresh().normal(4)
    assert torch.equal(first, fresh().normal(4))
    for other in (fresh("bob"), fresh(check="1.2"), fresh(secret=b"other")):
        assert not torch.equal(first, other.normal(4))


def test_the_names_are_kept_apart():
    assert fresh("ab", "c").seed_text != fresh("a", "bc").seed_text
    with pytest.raises(ValueError, match="NUL"):
        fresh("a\0b")


def test_staff_can_draw_again_from_the_seed_text():
    draw = fresh()
    again = Draw.from_seed_text(draw.seed_text)
    assert torch.equal(draw.normal(3), again.normal(3))
    assert draw.seed() == again.seed()


def test_global_generators_are_neither_used_nor_moved():
    torch.manual_seed(1)
    random.seed(1)
    states = torch.get_rng_state(), random.getstate()
    draw = fresh()
    before = draw.normal(2), draw.choice(range(1000)), draw.labels(5, 3), draw.seed()
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    torch.manual_seed(2)
    random.seed(2)
    draw = fresh()
    after = draw.normal(2), draw.choice(range(1000)), draw.labels(5, 3), draw.seed()
    assert torch.equal(before[0], after[0])
    assert before[1] == after[1]
    assert torch.equal(before[2], after[2])
    assert before[3] == after[3]


def test_shapes_dtypes_and_ranges():
    draw = fresh()
    normal = draw.normal(50, 40, scale=3.0)
    assert normal.shape == (50, 40)
    assert normal.dtype == torch.float64
    assert 2.8 < float(normal.std()) < 3.2
    uniform = draw.uniform(500, low=-2.0, high=5.0, dtype=torch.float32)
    assert uniform.dtype == torch.float32
    assert -2 <= float(uniform.min()) < -1.5
    assert 4.5 < float(uniform.max()) <= 5
    integers = draw.integers(3, 6, 10, 10)
    assert integers.dtype == torch.int64
    assert integers.unique().tolist() == [3, 4, 5]
    assert draw.integers(0, 2).shape == ()
    assert sorted(draw.permutation(9).tolist()) == list(range(9))
    assert draw.choice("abc") in "abc"
    assert 0 <= draw.seed() < 2**31


def test_one_seed_gives_the_same_numbers_in_every_dtype():
    assert torch.equal(fresh().normal(9, dtype=torch.float32), fresh().normal(9).float())


def test_labels_hold_every_class_where_there_is_room():
    for trial in range(20):
        assert len(fresh(str(trial)).labels(6, 6).unique()) == 6
        assert fresh(str(trial)).labels(3, 10).shape == (3,)
    assert fresh().labels(40, 5).tolist()[:5] != sorted(fresh().labels(40, 5).tolist())[:5]


def test_linear_problem_has_scores_near_one():
    weights, inputs, labels = fresh().linear_problem(n=50, d=400, c=10, dtype=torch.float32)
    assert (weights.shape, inputs.shape, labels.shape) == ((400, 10), (50, 400), (50,))
    assert weights.dtype == inputs.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert 0.7 < float((inputs @ weights).std()) < 1.4
