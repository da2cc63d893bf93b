"""``rules``: what a check can ask about the way in which a function does its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from grader.contract.assignment import Rules
from grader.contract.verdict import Explanation, RuleBroken
from grader.judge.rules.growth import Growth, growth
from grader.judge.rules.loops import loop_count, loop_depth
from grader.judge.rules.names import forbidden
from grader.judge.rules.sightings import Sightings
from grader.judge.source import Texts
from grader.judge.student import Function, Traceable

# Begins the remark for staff on a forbidden function that was seen at work; it costs the whole question.
FORBIDDEN_CALL = "a forbidden function was called:"


class RuleChecks:
    """The checks of one play.

    Args:
        texts: the submission's text.
        rules: the rules that hold for the question.
        outside: paths of functions and classes that a trace does not look into: given ones, and those that questions
            of their own are about.
        note: takes a remark for the student.
        flag: takes a remark for staff.
    """

    def __init__(
        self,
        texts: Texts,
        rules: Rules,
        outside: frozenset[str],
        note: Callable[[str], None],
        flag: Callable[[str], None],
    ) -> None:
        self._texts = texts
        self._rules = rules
        self._outside = sorted(outside)
        self._note = note
        self._flag = flag

    def forbids(self, name: str) -> bool:
        """Whether the function or module of this name is forbidden."""
        return forbidden(name, self._rules) is not None

    def vectorised(self, function: Function, small: Sequence[Any], large: Sequence[Any]) -> None:
        """Raises :class:`RuleBroken` when the work of ``function`` is done in a Python loop over the data."""
        self.loops(function, small, large, at_most=0)

    def loops(
        self,
        function: Function,
        small: Sequence[Any],
        large: Sequence[Any],
        at_least: int = 0,
        at_most: int = 2,
        in_a_row: bool = False,
    ) -> None:
        """Raises :class:`RuleBroken` when the number of nested loops over the data is not in the range.

        Args:
            function: a function of the submission.
            small, large: positional arguments of two sizes; every dimension that may be looped over grows by the same
                factor, at least 4.
            at_least, at_most: the range.
            in_a_row: whether loops that stand one after the other, over the data as well, also make up ``at_least``.
        """
        growth = self.growth(function, small, large)
        depth = loop_depth(self._texts, function._path)
        evidence = f"text: {depth} nested loops; {growth}"
        if growth.order > at_most:
            raise RuleBroken(self._too_many(growth.order, at_most, evidence))
        enough = in_a_row and growth.order >= 1 and loop_count(self._texts, function._path) >= at_least
        if growth.order < at_least and not enough:
            raise RuleBroken(self._too_few(growth.order, at_least, evidence))
        if depth > at_most:
            self._note("There is a loop in the text, but its length does not depend on the size of the data: accepted.")
            self._flag(f"{function._path}: a loop that the trace does not see. {evidence}")

    @staticmethod
    def _too_many(order: int, at_most: int, evidence: str) -> Explanation:
        wanted = {0: "no Python loop over the data", 1: "at most one loop over the data"}.get(
            at_most, f"at most {at_most} loops"
        )
        return Explanation(
            "The work is done step by step in Python: it grows with the size of the data as loops do. "
            "Write it with whole-tensor operations.",
            expected=wanted,
            got=f"the number of steps grows with the power {order} of the size",
            evidence=evidence,
        )

    @staticmethod
    def _too_few(order: int, at_least: int, evidence: str) -> Explanation:
        return Explanation(
            f"This version is meant to show {at_least} explicit loop{'s' * (at_least > 1)} over the data.",
            expected=f"{at_least} nested loop{'s' * (at_least > 1)}",
            got="no loop" if order < 1 else f"{order} loop",
            evidence=evidence,
        )

    def growth(self, function: Traceable, small: Sequence[Any], large: Sequence[Any]) -> Growth:
        """How operations, lines and calls of ``function`` grow from ``small`` to ``large`` arguments, as exponents.

        Raises :class:`RuleBroken` when a forbidden function is at work.
        """
        # The first call pays for what is imported and remembered once; it is not counted.
        counts = [self._watch(function, arguments, {})[1] for arguments in (small, small, large)]
        return growth(counts[1:], small, large)

    def traced(self, function: Traceable, *args: Any, **kwargs: Any) -> Any:
        """Calls a function, or a method of a remote object, under the trace, and returns what it returns.

        Raises :class:`RuleBroken` when it calls a forbidden function, or torch dispatches a forbidden operation. What
        looks as if the trace had been tampered with is flagged.
        """
        return self._watch(function, args, kwargs)[0]

    def _watch(self, function: Traceable, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, Mapping[str, Any]]:
        result, trace = function.__traced__(self._outside, args, kwargs)
        seen = Sightings.of(trace)
        for suspicion in seen.suspicions(self._rules):
            self._flag(suspicion)
        found = seen.forbidden(self._rules)
        if found is not None:
            self._flag(f"{FORBIDDEN_CALL} {found}")
            raise RuleBroken(
                Explanation(
                    f"The program calls {found}, which this assignment asks you to write yourself.",
                    evidence=seen.evidence(self._rules),
                )
            )
        return result, trace
