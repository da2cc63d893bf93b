"""Comparing and explaining: what passes, what fails, and what its author then reads."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.contract.verdict import CheckFailed, Explanation
from grader.judge.compare import Expectation, diagnose, expect
from grader.judge.draw import Draw


@pytest.fixture
def draw() -> Draw:
    return Draw(b"secret", "ada", "compare")


def failure(got: object, expected: object, names=None, **options) -> Explanation:
    with pytest.raises(CheckFailed) as caught:
        expect(got, names).matches(expected, **options)
    return caught.value.explanation


# ---- what passes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (torch.ones(2, 3), torch.ones(2, 3)),
        (np.ones((), dtype=np.float32), torch.tensor(1.0, dtype=torch.float64)),
        (torch.tensor(2.0), 2.0),
        (2.0, torch.tensor(2.0)),
        (2, 2.0),
        (np.float64(2.0), torch.tensor(2.0)),
        (torch.tensor(3, dtype=torch.int32), 3),
        (torch.tensor([1, 2], dtype=torch.int32), torch.tensor([1, 2])),
        ([torch.ones(1), "a"], (torch.ones(1), "a")),
        ({"a": None, 1: [True]}, {1: (True,), "a": None}),
        (torch.float32, torch.float32),
        (torch.empty(0, 3), torch.empty(0, 3)),
        (torch.tensor([math.nan, math.inf, 1.0]), torch.tensor([math.nan, math.inf, 1.0])),
        (10**30, 10**30),
        (2**63, 2**63),
    ],
)
def test_equal_answers_pass_in_either_form(got, expected):
    assert expect(got).matches(expected).notes == []


def test_an_array_does_not_stand_for_a_tensor():
    with pytest.raises(CheckFailed, match="numpy array"):
        expect(np.ones((2, 3), dtype=np.float32)).matches(torch.ones(2, 3))


def test_rounding_passes_in_its_own_dtype(draw):
    x = draw.normal(40, 50)
    y = draw.normal(50, 30)
    expect(x.float() @ y.float()).matches((x @ y).float())
    expect(sum(x[:, [k]] * y[[k]] for k in range(50))).matches(x @ y)


def test_float32_accumulators_in_float64_work_pass_with_a_note(draw):
    expected = draw.normal(20, 30)
    noted = []
    Expectation(expected.float().double(), "dW", noted.append).matches(expected)
    assert "float32" in noted[0]
    failure(expected.float().double(), expected, rtol=1e-8)


def test_a_float_loss_of_float32_work_passes(draw):
    loss = 2.3025850929
    assert expect(float(np.float32(loss)), "loss").matches(loss).notes


# ---- small entries -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("spoil", [torch.neg, torch.zeros_like], ids=["negated", "zeroed"])
def test_a_spoilt_small_entry_cannot_hide(draw, size, spoil):
    expected = draw.normal(12, 5)
    expected[3, 4] = size
    got = expected.clone()
    got[3, 4] = spoil(expected[3, 4])
    said = failure(got, expected, "dW")
    assert said.message == "dW: 1 of 60 entries is wrong."
    assert "dW[3, 4]" in said.difference


def test_negated_small_entries_cannot_hide_in_float32_noise(draw):
    expected = draw.normal(12, 5)
    expected[0] *= 1e-7
    got = expected.float().double()
    got[0] = -expected[0]
    failure(got, expected)


def test_a_tensor_of_small_numbers_is_judged_by_its_own_scale(draw):
    small = 1e-6 * draw.normal(5, 5)
    failure(torch.zeros(5, 5, dtype=torch.float64), small)
    failure(torch.zeros(5, 5), small.float())


# ---- gates ---------------------------------------------------------------------------------------------------------


class LyingList(list):
    def __eq__(self, other):
        return True

    def __len__(self):
        raise RuntimeError("lie")


class LyingFloat(float):
    def __sub__(self, other):
        return 0.0


class LyingArray(np.ndarray):
    def __array_ufunc__(self, *args, **kwargs):
        return np.zeros(3)


@pytest.mark.parametrize(
    ("got", "expected", "words"),
    [
        (None, torch.ones(2), "returned None: did you forget to return?"),
        ((1.0, None), (1.0, torch.ones(2)), "dW is None."),
        ("abc", torch.ones(2), "the str 'abc'"),
        (torch.ones(2), (1.0, torch.ones(2)), "should be a tuple of 2 elements (loss, dW)"),
        ((1.0,), (1.0, torch.ones(2)), "has 1 elements, but should have 2 (loss, dW)"),
        (torch.ones(4, 1), torch.ones(4), "has shape (4, 1), but should have shape (4,)"),
        (torch.ones(()), torch.ones(4), "has shape ()"),
        (torch.empty(0), torch.ones(4), "has shape (0,)"),
        (1.0, torch.ones(4), "is the float 1.0"),
        (torch.ones(3, dtype=torch.float64), torch.ones(3), "has the dtype float64, but should have float32"),
        (torch.ones(3, dtype=torch.int64), torch.ones(3), "integer (int64), but should be floating-point (float32)"),
        (torch.ones(3, dtype=torch.bool), torch.ones(3), "boolean"),
        (torch.ones(3, dtype=torch.complex64), torch.ones(3), "complex (complex64)"),
        (True, 1.0, "boolean"),
        (1, True, "integer"),
        (torch.ones(3), torch.ones(3, dtype=torch.int64), "floating-point (float32)"),
        (np.array(["a"], dtype=object), torch.ones(1), "dtype object"),
        (LyingList(), [], "object of type LyingList"),
        (LyingFloat(0.0), 0.5, "object of type LyingFloat"),
        (np.zeros(3).view(LyingArray), np.ones(3), "object of type LyingArray"),
        (torch.ones(2).to_sparse(), torch.ones(2), "tensor"),
        (10**400, 1.0, "should be finite"),
    ],
)
def test_gates_name_what_came_and_what_was_due(got, expected, words):
    assert words in failure(got, expected, ("loss", "dW")).message


def test_widths_are_free_without_dtype():
    expect(torch.ones(3, dtype=torch.float64)).matches(torch.ones(3), dtype=False)
    expect(torch.ones(3, dtype=torch.int64)).matches(torch.ones(3), dtype=False)
    failure(torch.ones(3, dtype=torch.bool), torch.ones(3), dtype=False)


def test_dictionaries_name_missing_and_extra_keys():
    said = failure({"W1": 1.0, 3: 1.0, (1, 2): 0, "w2": 1.0}, {"W1": 1.0, "W2": 1.0}, "grads")
    assert "lacks 'W2'" in said.message
    assert "3, an object of type tuple, 'w2'" in said.message
    assert failure({"W1": 2.5}, {"W1": 1.0}, "grads").message.startswith("grads['W1'] is 2.5")


def test_nan_and_infinity_are_counted_and_located():
    got = torch.ones(2, 3)
    got[0, 2], got[1, 1], got[1, 2] = math.nan, math.inf, math.nan
    said = failure(got, torch.ones(2, 3), "out")
    assert said.message == "out should be finite, but of its 6 entries 2 NaN and 1 infinite."
    assert "out[0, 2]" in said.difference
    assert "overflowed" in said.hint


def test_an_infinity_is_right_only_in_its_place():
    mask = torch.tensor([0.0, -math.inf])
    expect(mask.clone()).matches(mask)
    failure(-mask, mask)
    failure(torch.tensor([0.0, 5.0]), mask)


def test_the_worst_entry_is_named_with_both_numbers(draw):
    expected = draw.normal(3, 4)
    got = expected.clone()
    got[1, 2] += 0.5
    got[2, 3] += 1e-4
    said = failure((0.0, got), (0.0, expected), ("loss", "dW"))
    assert said.message == "dW: 2 of 12 entries are wrong."
    assert f"dW[1, 2]: expected {expected[1, 2]:.6g}, got {got[1, 2]:.6g}" in said.difference
    assert said.expected.count("\n") == 2


def test_numbers_that_look_alike_get_more_digits():
    said = failure(
        torch.tensor([1.0 + 2e-7, 2.0, 3.0], dtype=torch.float64), torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    )
    assert "expected 1, got 1.0000002" in said.difference


# ---- the other demands ---------------------------------------------------------------------------------------------


def test_has_shape():
    expect(torch.ones(2, 3)).has_shape(2, 3).has_shape(None, 3)
    expect(1.5).has_shape()
    with pytest.raises(CheckFailed, match=r"h has shape \(2,\), but should have shape \(2, any\)"):
        expect(torch.ones(2), "h").has_shape(2, None)


def test_is_between():
    expect(torch.tensor([0, 1])).is_between(0, 1)
    expect(0.5).is_between(low=0.5)
    with pytest.raises(
        CheckFailed, match=r"p: 1 of 2 entries is outside the range. It should be between 0 and 1."
    ) as e:
        expect(np.array([0.5, 1.5]), "p").is_between(0, 1)
    assert e.value.explanation.difference == "p[1] is 1.5."
    for odd in (math.nan, True, "0.5", None, 1j, torch.tensor([math.nan])):
        with pytest.raises(CheckFailed):
            expect(odd).is_between(0, 1)


def test_equals_is_exact():
    expect((3, "a", True, torch.tensor([1, 2]))).equals((3, "a", True, torch.tensor([1, 2])))
    for got, expected in ((3, 4), ("a", "b"), (True, False), (1.0, 1.0 + 2**-52), (2**63, 2**63 + 1), (1, True)):
        with pytest.raises(CheckFailed):
            expect(got).equals(expected)


def test_an_argument_changed_in_place_is_named():
    before = torch.arange(6.0).reshape(2, 3)
    after = before.clone()
    expect(after, "X").is_unchanged_from(before)
    after[1, 1] += 1e-6
    with pytest.raises(CheckFailed, match=r"may not change its arguments.* X: 1 of 6 entries is wrong"):
        expect(after, "X").is_unchanged_from(before)


def test_an_impossible_expectation_is_a_mistake_of_the_check():
    with pytest.raises(TypeError, match="cannot be compared"):
        expect(1.0).matches(object())


# ---- diagnoses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda x: 7 * x, "It is 7 times what is expected everywhere. N is 7: is a division by N missing?"),
        (lambda x: x / 7, "It is 1/7 of what is expected everywhere. N is 7: is there one division by N too many?"),
        (lambda x: x / 2, "It is 1/2 of"),
        (lambda x: 1.37 * x, "It is 1.37 times"),
        (lambda x: -x, "It has the wrong sign everywhere."),
        (lambda x: -3 * x, "It is minus 3 times"),
        (lambda x: 0 * x, "It is zero everywhere."),
        (lambda x: x.T.clone(), "It is the transpose"),
        (lambda x: x[[3, 0, 1, 2, 4]], "The rows are right but in another order."),
        (lambda x: x.flip(1)[:, [0, 2, 1, 4, 3]], "The numbers are right but in other places"),
        (lambda x: x.roll(1, 1), "It is shifted along axis 1: each place holds what belongs one place before."),
        (lambda x: x.roll(-1, 0), "It is shifted along axis 0: each place holds what belongs one place after."),
        (lambda x: x + 0.25, "It is 0.25 too large everywhere."),
        (lambda x: x - 0.25, "It is 0.25 too small everywhere."),
        (lambda x: torch.cat([x[:2], x[2:3] + 1, x[3:]]), "Only row 2 is wrong."),
        (lambda x: torch.cat([x[:, :4], x[:, 4:] + 1], dim=1), "Only the last column is wrong."),
        (
            lambda x: torch.cat([x[:3], x[3:].abs() + 3]),
            "The first 3 rows are right, and all others are wrong.",
        ),
        (lambda x: torch.cat([x[:1], x[1:] + 1]), "Only the first row is right."),
        (lambda x: torch.cat([x[:4], x[4:] + 1]), "Only the last row is wrong."),
        (lambda x: x.reshape(25, 1), "The numbers are right, only the shape is wrong."),
        (lambda x: x + math.nan, "NaN comes from"),
        (lambda x: x * (1 + x), ""),
        (lambda x: x, ""),
    ],
)
def test_a_mistake_is_recognised_and_nothing_else_is_claimed(draw, mistake, words):
    said = diagnose(x := draw.normal(5, 5), mistake(x), {"N": 7})
    assert said.startswith(words)
    assert bool(said) == bool(words)


def test_axes_in_another_order_are_told(draw: Draw) -> None:
    x = draw.normal(2, 3, 4)
    said = "Its axes are in another order: it is what is expected after permute(2, 0, 1)."
    assert diagnose(x, x.permute(2, 0, 1).contiguous()) == said
    cube = draw.normal(3, 3, 3)
    assert diagnose(cube, cube.permute(2, 0, 1).contiguous()) == said


def test_a_single_number_is_no_evidence_for_a_factor():
    assert diagnose(2.0, 3.1) == ""
    assert diagnose(2.0, 6.0) == ""
    assert diagnose(2.0, 4.0) == "It is 2 times what is expected everywhere."
    assert (
        diagnose(2.0, 6.0, {"N": 3}) == "It is 3 times what is expected everywhere. N is 3: is a division by N missing?"
    )
    assert diagnose(4, 20) == ""
    assert diagnose(torch.tensor([3, 3, 3]), torch.tensor([6, 6, 6])) == ""


def test_the_transpose_of_another_shape(draw):
    x = draw.normal(3, 5)
    assert "transpose" in failure(x.T.contiguous(), x).hint


# ---- hostile answers -----------------------------------------------------------------------------------------------

ODD_FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(2**62, 2**70), st.builds(lambda: -(10**5000)), ODD_FLOATS,
    st.complex_numbers(), st.text(),
    st.sampled_from([torch.float32, torch.device("cpu"), object(), b"x", {1}, "\ud800"]),
)  # fmt: skip
SHAPES = st.sampled_from([(), (0,), (3,), (2, 3), (3, 2), (1, 3, 1)])
TENSORS = st.builds(
    lambda shape, value, dtype: torch.full(shape, value, dtype=torch.float64).to(dtype),
    SHAPES,
    st.sampled_from([0.0, 1.0, -1e308, 1e-320, math.nan, math.inf]),
    st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.bool]),
)
ARRAYS = st.builds(
    lambda shape, dtype: np.ones(shape).astype(dtype),
    SHAPES,
    st.sampled_from(["f8", "f4", "f2", ">f8", "u8", "i1", "c16", "O", "U3", "?", "longdouble"]),
)
LEAVES = st.one_of(SCALARS, TENSORS, ARRAYS)
KEYS = st.one_of(st.text(max_size=3), st.integers(), ODD_FLOATS, st.none(), st.tuples(st.integers()))
ANSWERS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
EXPECTED = [
    torch.ones(2, 3),
    torch.ones(3, dtype=torch.int64),
    torch.tensor([1e308, -math.inf, 0.0], dtype=torch.float64),
    1.5,
    2**64,
    "a",
    None,
    True,
    (1.0, torch.ones(3)),
    {"a": torch.ones(3, dtype=torch.bool), "b": [None]},
]


@settings(max_examples=50, deadline=None)
@given(ANSWERS)
def test_no_answer_raises_anything_but_a_failed_check(got):
    demands = [lambda e, x=x, d=d: e.matches(x, dtype=d) for x in EXPECTED for d in (True, False)]
    demands += [lambda e: e.equals(3), lambda e: e.has_shape(3), lambda e: e.is_between(0, 1), lambda e: e.is_finite()]
    for demand in demands:
        try:
            demand(Expectation(got, ("loss", "dW")))
        except CheckFailed as failed:
            assert failed.explanation.message
            assert len(failed.explanation.message) < 500
