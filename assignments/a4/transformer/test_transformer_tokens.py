"""Checks of A4: words and numbers, the mask that hides the future, position encodings."""

import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

from grader.contract.verdict import CheckFailed, Explanation

DIGITS = "0123456789"
SPECIAL = ["POSITIVE", "NEGATIVE", "add", "subtract", "BOS", "EOS"]
OTHER_DRAW = "A second draw came out wrong. Look for a word, a size or a number that is written into the function."
ROUNDED = 1e-4  # angles that went through exp and log in float32 are off by so much


def shuffled(draw, words):
    return [words[i] for i in draw.permutation(len(words)).tolist()]


# ---- 30. generate_token_dict ---------------------------------------------------------------------------------------


@number("30.1")
@weight(2)
@visibility("visible")
def test_token_dict(student, draw, expect):
    """generate_token_dict numbers the words from 0, in their order."""
    for words in ([*DIGITS, *SPECIAL], shuffled(draw, ["x", "7", "EOS", "times", "BOS"])):
        got = student.transformers.generate_token_dict(list(words))
        expect(got, "token_dict").matches({word: i for i, word in enumerate(words)})


# ---- 31. prepocess_input_sequence ----------------------------------------------------------------------------------


def check_tokens(student, expect, text, token_dict, special, expected):
    got = student.transformers.prepocess_input_sequence(text, dict(token_dict), list(special))
    if torch.is_tensor(got):
        got = got.tolist()
    expect(list(got) if type(got) is tuple else got, "the tokens").equals([token_dict[word] for word in expected])


@number("31.1")
@weight(2)
@visibility("visible")
def test_preprocess(student, draw, expect):
    """prepocess_input_sequence takes numbers apart, digit by digit, and leaves special words whole."""
    token_dict = {word: i for i, word in enumerate(shuffled(draw, [*DIGITS, *SPECIAL]))}
    a, b = (f"{int(draw.integers(0, 100)):02d}" for _ in range(2))
    sign, operation = draw.choice(SPECIAL[:2]), draw.choice(SPECIAL[2:4])
    expected = ["BOS", sign, *a, operation, "NEGATIVE", *b, "EOS"]
    check_tokens(student, expect, f"BOS {sign} {a} {operation} NEGATIVE {b} EOS", token_dict, SPECIAL, expected)


@number("31.2")
@weight(1)
@visibility("hidden")
@hide_errors(OTHER_DRAW)
def test_preprocess_other_words(student, draw, expect):
    """prepocess_input_sequence knows the special words from its argument, and numbers of any length."""
    special = ["plus", "START", "minus"]
    token_dict = {word: 3 + i for i, word in enumerate(shuffled(draw, [*DIGITS, *special]))}
    a, b = str(int(draw.integers(1000, 10000))), str(int(draw.integers(0, 10)))
    check_tokens(student, expect, f"START {a} plus {b} minus", token_dict, special, ["START", *a, "plus", b, "minus"])
    check_tokens(student, expect, f"{b} minus", token_dict, special, [b, "minus"])


# ---- 45. get_subsequent_mask ---------------------------------------------------------------------------------------


def check_mask(student, expect, seq):
    got = student.transformers.get_subsequent_mask(seq)
    N, K = seq.shape
    future = torch.tensor([[j > i for j in range(K)] for i in range(K)])
    expect(got, "the mask").has_shape(N, K, K)
    if not torch.is_tensor(got) or got.dtype != torch.bool:
        raise CheckFailed("The mask should be a tensor of dtype torch.bool.")
    expect(got, "the mask").equals(future.expand(N, K, K))


@number("45.1")
@weight(2)
@visibility("visible")
def test_subsequent_mask(student, draw, expect):
    """get_subsequent_mask is True where a key comes after the query: above the diagonal, for every sequence."""
    check_mask(student, expect, draw.integers(0, 16, 3, 5))


@number("45.2")
@weight(1)
@visibility("hidden")
@hide_errors(OTHER_DRAW)
def test_subsequent_mask_any_tokens(student, draw, expect):
    """get_subsequent_mask does not depend on the tokens, and fits sequences of any length."""
    for seq in (draw.normal(2, 7), torch.zeros(4, 1, dtype=torch.int64), draw.integers(0, 3, 1, 9)):
        check_mask(student, expect, seq)


# ---- 48. position_encoding_simple ----------------------------------------------------------------------------------


@number("48.1")
@weight(2)
@visibility("visible")
def test_positions_simple(student, draw, expect):
    """position_encoding_simple returns n / K for the n-th of K places, from 0, in all of its M numbers."""
    for K, M in ((4, 3), (int(draw.integers(6, 12)), int(draw.integers(4, 9)))):
        got = student.transformers.position_encoding_simple(K, M)
        expected = torch.tensor([n / K for n in range(K)], dtype=torch.float64).view(1, K, 1).expand(1, K, M)
        expect(got, "the encoding").matches(expected, rtol=1e-6, atol=1e-7, dtype=False)


# ---- 49. position_encoding_sinusoid --------------------------------------------------------------------------------


def waves(K, M, exponent):
    """Sines and cosines with this exponent of 10000 for the i-th pair of columns."""
    y = torch.empty(1, K, M, dtype=torch.float64)
    for j in range(M):
        angles = torch.arange(K, dtype=torch.float64) / 10000.0 ** exponent(j // 2)
        y[0, :, j] = angles.cos() if j % 2 else angles.sin()
    return y


def check_waves(student, expect, K, M):
    """-> which formula the encoding follows: the paper's, or the handout's."""
    got = student.transformers.position_encoding_sinusoid(K, M)
    expect(got, "the encoding").has_shape(1, K, M).is_finite()
    formulas = {
        "the paper's formula, with the exponent 2i / M": waves(K, M, lambda i: 2 * i / M),
        "the handout's formula, with the exponent floor(2i / M), which is 0": waves(K, M, lambda i: 2 * i // M),
    }
    for name, right in formulas.items():
        if (torch.as_tensor(got).double() - right).abs().max() <= ROUNDED:
            return name
    right = next(iter(formulas.values()))
    row = int((torch.as_tensor(got).double() - right).abs().amax(dim=(0, 2)).argmax())
    raise CheckFailed(
        Explanation(
            "The encoding is neither sin and cos of p / 10000^(2i / M), side by side, nor those of the handout's "
            "formula with floor(2i / M).",
            expected=f"at place {row}: {[round(v, 4) for v in right[0, row, :6].tolist()]} ...",
            got=f"{[round(float(v), 4) for v in got[0, row, :6]]} ...",
        )
    )


@number("49.1")
@weight(3)
@visibility("visible")
def test_positions_sinusoid(student, draw, expect, note):
    """position_encoding_sinusoid returns sines in the even columns and cosines in the odd ones, of slower waves."""
    seen = {check_waves(student, expect, K, M) for K, M in ((5, 6), (int(draw.integers(8, 14)), 16))}
    for formula in sorted(seen):
        note(f"Seen: {formula}. Both are right.")


@number("49.2")
@weight(1)
@visibility("visible")
def test_positions_odd(student, draw, expect):
    """position_encoding_sinusoid takes an odd number of columns as well: the last one holds a sine."""
    check_waves(student, expect, int(draw.integers(4, 9)), draw.choice([5, 7, 9]))
