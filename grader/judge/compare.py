"""Comparing an answer with what was expected, and explaining the difference, in one class.

The order is that of a patient reader: type, shape, dtype, finiteness, and only then the entries, each against its
own bound. A wrong answer raises :class:`~grader.contract.verdict.CheckFailed` with the whole explanation; no answer,
however odd, raises anything else. Ordinary exceptions mean that the author of the check asked for the impossible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from grader.contract.verdict import CheckFailed, Explanation
from grader.judge.diagnose import diagnose, not_finite_sentence
from grader.judge.explain import at, count_bad, count_entries, fail, fail_entries, first_index, list_keys, shape_text
from grader.judge.tolerance import is_single_precision_noise, precision_of, scale_of, tolerance_for
from grader.judge.values import Kind, Numbers, describe, is_plain_key, numbers_of, show

__all__ = ["Expectation", "diagnose", "expect"]

Array = NDArray[Any]
Names = str | Sequence[str] | None
_EXACT = (str, torch.dtype, torch.device)


@dataclass(frozen=True)
class _Options:
    """How strictly numbers are compared; ``rtol`` and ``atol`` as given by the check, ``None`` for the table's."""

    rtol: float | None = None
    atol: float | None = None
    dtype: bool = True
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def forced(self) -> bool:
        return self.rtol is not None or self.atol is not None


def expect(got: object, names: Names = None) -> Expectation:
    """Starts a sentence about an answer: ``expect(got, names=("loss", "dW")).matches(expected)``."""
    return Expectation(got, names)


class Expectation:
    """An answer of a submission, and what can be asked of it.

    Every method returns the expectation itself, so that demands can be chained, and raises ``CheckFailed`` where the
    answer does not meet them. Tuples and lists are interchangeable, as are numbers and tensors of shape ``()``; a
    numpy array does not stand for a tensor.

    Args:
        got: the answer: plain data from a player.
        names: what students call the answer; for a tuple, the names of its elements in order.
        on_note: called with each remark that costs nothing; remarks are also collected in ``notes``.
    """

    def __init__(self, got: object, names: Names = None, on_note: Callable[[str], None] | None = None) -> None:
        self._got = got
        self._names = names
        self._on_note = on_note
        self.notes: list[str] = []

    def matches(
        self,
        expected: object,
        rtol: float | None = None,
        atol: float | None = None,
        dtype: bool = True,
        sizes: Mapping[str, int] | None = None,
    ) -> Expectation:
        """The answer has the structure, shapes, dtypes and values of ``expected``.

        Args:
            expected: tensors, arrays, numbers, strings, ``None``, dtypes, devices, and tuples, lists and dicts of them.
            rtol: allowed error as a part of each expected entry; from a table by dtype if not given.
            atol: allowed absolute error; from ``rtol`` and the largest expected entry if not given.
            dtype: whether the floating-point dtype must be the same; integers may have any width.
            sizes: sizes of the problem by name, such as ``{"N": 7}``, for the hint about a constant factor.

        Float64 results that went through float32 accumulators pass with a note, unless a tolerance is given.

        Raises:
            CheckFailed: the answer is different.
            TypeError: ``expected`` holds something that cannot be compared.
        """
        self._compare(expected, self._got, self._label(), _Options(rtol, atol, dtype, sizes or {}))
        return self

    def equals(self, expected: object) -> Expectation:
        """The answer is exactly ``expected``: the same integers, strings, booleans or, to the last bit, floats."""
        self._compare(expected, self._got, self._label(), _Options(rtol=0.0, atol=0.0))
        return self

    def is_unchanged_from(self, original: object) -> Expectation:
        """The answer, an argument fetched after a call, is exactly what it was before."""
        try:
            return self.equals(original)
        except CheckFailed as problem:
            was = problem.explanation
            message = f"The function may not change its arguments, but it did. {was.message}"
            raise CheckFailed(Explanation(message, was.expected, was.got, was.difference)) from None

    def has_shape(self, *shape: int | None) -> Expectation:
        """The answer is a tensor of this shape; ``None`` stands for any size."""
        label = self._label()
        numbers = self._numbers(self._got, label, f"a tensor of shape {shape_text(shape)}")
        actual = numbers.array.shape
        fits = len(actual) == len(shape) and all(want in (None, have) for want, have in zip(shape, actual, strict=True))
        if not fits:
            fail(f"{label} has shape {actual}, but should have shape {shape_text(shape)}.")
        return self

    def is_between(self, low: float | None = None, high: float | None = None) -> Expectation:
        """The answer is a finite number, or a tensor of finite numbers, from ``low`` to ``high``, both included."""
        label = self._label()
        bounds = _bounds(low, high)
        self.is_finite()
        values = self._numbers(self._got, label, f"a number {bounds}").as_floats()
        lowest, highest = -np.inf if low is None else low, np.inf if high is None else high
        inside = (values >= lowest) & (values <= highest)
        if not inside.all():
            where = first_index(~inside)
            message = f"{count_bad(~inside, label, 'outside the range')} It should be {bounds}."
            fail(message, difference=f"{at(label, where)} is {values[where]:.6g}.")
        return self

    def is_finite(self) -> Expectation:
        """The answer is a real number or a tensor of real numbers, none of them NaN or infinite."""
        label = self._label()
        numbers = self._numbers(self._got, label, "a number or a tensor of numbers")
        if numbers.kind in (Kind.BOOL, Kind.COMPLEX):
            fail(f"{label} is {describe(self._got)}, but should hold real numbers.")
        values = numbers.as_floats()
        self._check_finite(values, np.ones(values.shape, dtype=bool), label)
        return self

    # ---- structure -------------------------------------------------------------------------------------------------

    def _label(self) -> str:
        if isinstance(self._names, str):
            return self._names
        if self._names is not None and len(self._names) == 1 and type(self._got) not in (tuple, list):
            return self._names[0]
        return "result"

    def _element_label(self, label: str, index: int) -> str:
        named = self._names is not None and not isinstance(self._names, str) and label == "result"
        if named and self._names is not None and index < len(self._names):
            return self._names[index]
        return f"{label}[{index}]"

    def _compare(self, expected: object, got: object, label: str, options: _Options) -> None:
        if got is None and expected is not None:
            fail(f"{self._none(got, label)} It should be {describe(expected)}.")
        if expected is None or isinstance(expected, _EXACT):
            if type(got) is not type(expected) or got != expected:
                fail(f"{label} is {describe(got)}, but should be {describe(expected)}.")
        elif isinstance(expected, (tuple, list)):
            self._compare_sequence(expected, got, label, options)
        elif isinstance(expected, dict):
            self._compare_dict(expected, got, label, options)
        else:
            self._compare_numbers(expected, got, label, options)

    def _compare_sequence(self, expected: Sequence[object], got: object, label: str, options: _Options) -> None:
        if type(got) not in (tuple, list):
            fail(f"{label} is {describe(got)}, but should be {describe(expected)}{self._listed()}.")
        elements: Sequence[object] = got  # type: ignore[assignment]
        if len(elements) != len(expected):
            fail(f"{label} has {len(elements)} elements, but should have {len(expected)}{self._listed()}.")
        for index, (want, have) in enumerate(zip(expected, elements, strict=True)):
            self._compare(want, have, self._element_label(label, index), options)

    def _listed(self) -> str:
        if self._names is None or isinstance(self._names, str):
            return ""
        return f" ({', '.join(self._names)})"

    def _compare_dict(self, expected: dict[Any, object], got: object, label: str, options: _Options) -> None:
        if type(got) is not dict:
            fail(f"{label} is {describe(got)}, but should be a dict with the keys {list_keys(expected)}.")
        # Only keys of plain types are looked up: another key could run code of its own when it is compared.
        plain = {key: value for key, value in got.items() if is_plain_key(key)}
        missing = [key for key in expected if key not in plain]
        extra = [key for key in got if not is_plain_key(key) or key not in expected]
        if missing or extra:
            said = [f"it lacks {list_keys(missing)}"] * bool(missing) + [f"it also has {list_keys(extra)}"] * bool(
                extra
            )
            fail(f"{label} should be a dict with the keys {list_keys(expected)}, but {' and '.join(said)}.")
        for key, want in expected.items():
            self._compare(want, plain[key], f"{label}[{show(key)}]", options)

    def _none(self, got: object, label: str) -> str:
        if got is not self._got:
            return f"{label} is None."
        if isinstance(self._names, str):
            return f"{label} is None: did you forget to return it?"
        return "The function returned None: did you forget to return?"

    # ---- numbers ---------------------------------------------------------------------------------------------------

    def _numbers(self, got: object, label: str, wanted: str) -> Numbers:
        if got is None:
            fail(f"{self._none(got, label)} It should be {wanted}.")
        numbers = numbers_of(got)
        if numbers is None:
            fail(f"{label} is {describe(got)}, but should be {wanted}.")
        return numbers

    def _compare_numbers(self, expected: object, got: object, label: str, options: _Options) -> None:
        want = numbers_of(expected)
        if want is None:
            raise TypeError(f"A check expects {describe(expected)} for {label}, which cannot be compared.")
        have = self._numbers(got, label, describe(expected))
        if isinstance(expected, torch.Tensor) and isinstance(got, np.ndarray) and got.ndim:
            fail(f"{label} is a numpy array, but should be a torch tensor. torch.from_numpy makes one of it.")
        if have.array.shape != want.array.shape:
            _fail_shape(label, expected, got, want, have)
        _check_kind(label, want, have, options.dtype)
        if want.kind in (Kind.BOOL, Kind.INTEGER) and not (options.rtol or options.atol):
            _compare_exactly(label, want, have, options)
        else:
            self._compare_floats(label, want, have, options)

    def _compare_floats(self, label: str, want: Numbers, have: Numbers, options: _Options) -> None:
        expected, got = want.as_floats(), have.as_floats()
        self._check_finite(got, np.isfinite(expected), label)
        dtype = precision_of(want.dtype, have.dtype)
        tolerance = tolerance_for(dtype, scale_of(expected), options.rtol, options.atol)
        wrong = tolerance.wrong(expected, got)
        if not wrong.any():
            return
        if dtype == "float64" and not options.forced and is_single_precision_noise(expected, got, wrong):
            self._note(
                f"{label} is right, but only to about seven digits, as if part of the work was done in float32. "
                "Give new tensors the dtype of the inputs (torch.zeros_like, or dtype=X.dtype)."
            )
            return
        hint = diagnose(expected, got, options.sizes, dtype)
        fail_entries(label, expected, got, wrong, tolerance=tolerance, hint=hint)

    def _check_finite(self, got: Array, must_be_finite: Array, label: str) -> None:
        bad = must_be_finite & ~np.isfinite(got)
        if not bad.any():
            return
        nans = int(np.count_nonzero(np.isnan(got) & bad))
        infinities = int(np.count_nonzero(bad)) - nans
        found = " and ".join(f"{n} {name}" for n, name in ((nans, "NaN"), (infinities, "infinite")) if n)
        where = first_index(bad)
        if got.ndim == 0:
            fail(f"{label} is {got[where]}, but should be finite.", hint=not_finite_sentence(got))
        message = f"{label} should be finite, but of its {count_entries(got.size)} {found}."
        fail(message, difference=f"The first is {at(label, where)} = {got[where]}.", hint=not_finite_sentence(got[bad]))

    def _note(self, text: str) -> None:
        self.notes.append(text)
        if self._on_note is not None:
            self._on_note(text)


# ---- gates ---------------------------------------------------------------------------------------------------------


def _fail_shape(label: str, expected: object, got: object, want: Numbers, have: Numbers) -> NoReturn:
    if have.is_scalar or want.is_scalar:
        fail(f"{label} is {describe(got)}, but should be {describe(expected)}.")
    message = f"{label} has shape {have.array.shape}, but should have shape {want.array.shape}."
    fail(message, str(want.array.shape), str(have.array.shape), hint=diagnose(expected, got))


def _check_kind(label: str, want: Numbers, have: Numbers, exact: bool) -> None:
    """A Python int may stand for a float; without ``exact``, integers and floats of any width may stand for another."""
    real = (Kind.INTEGER, Kind.FLOATING)
    if want.kind is not have.kind:
        loosely = want.kind in real and have.kind in real
        python_int = want.kind is Kind.FLOATING and have.kind is Kind.INTEGER and have.is_scalar
        if not (loosely and (python_int or not exact)):
            should = f"{want.kind.value} ({want.dtype})"
            fail(f"{label} is {have.kind.value} ({have.dtype}), but should be {should}.", want.dtype, have.dtype)
        return
    scalar = want.is_scalar or have.is_scalar
    if exact and not scalar and want.kind in (Kind.FLOATING, Kind.COMPLEX) and want.dtype != have.dtype:
        hint = "New tensors take the default dtype unless they are told another: use torch.zeros_like or dtype=X.dtype."
        fail(f"{label} has the dtype {have.dtype}, but should have {want.dtype}.", want.dtype, have.dtype, hint=hint)


def _compare_exactly(label: str, want: Numbers, have: Numbers, options: _Options) -> None:
    expected, got = want.array, have.array
    if {expected.dtype.kind, got.dtype.kind} & {"u", "O"}:
        # Mixed 64-bit integers would be compared as rounded floats.
        expected, got = expected.astype(object), got.astype(object)
    wrong = np.asarray(expected != got, dtype=bool)
    if wrong.any():
        # A single whole number is a choice or a count: that it is a multiple of another one says nothing.
        hint = diagnose(want.array, have.array, options.sizes) if want.array.size > 1 else ""
        fail_entries(label, expected, got, wrong, tolerance=None, hint=hint)


def _bounds(low: float | None, high: float | None) -> str:
    if high is None:
        return f"at least {low}"
    return f"at most {high}" if low is None else f"between {low} and {high}"
