"""What the text of a submission says about each question of an assignment; found once, and remembered."""

from __future__ import annotations

from collections.abc import Container, Iterator
from functools import cached_property

from grader.contract.assignment import Assignment, Question
from grader.contract.verdict import Explanation, RuleBroken
from grader.judge.rules.text import dynamic_uses, forbidden_uses, machinery_uses
from grader.judge.source import Texts

# Remarks of one sort on one question, and names in one message.
MOST = 5


class TextOfQuestion:
    """The first witness, on one question.

    Args:
        texts: the submission's text.
        assignment: what is asked for.
        question: the question.
        modules: names of the modules that were handed in.
    """

    def __init__(self, texts: Texts, assignment: Assignment, question: Question, modules: Container[str]) -> None:
        self._texts = texts
        self._modules = modules
        self._question = question
        self._rules = assignment.rules_of(question)
        self.outside = outside(assignment, question)

    @cached_property
    def broken_rule(self) -> RuleBroken | None:
        """What the question's function uses although it is forbidden."""
        uses = forbidden_uses(self._texts, self._question.function, self._rules, self.outside)
        if not uses:
            return None
        listed = ", ".join(str(use) for use in uses[:MOST])
        return RuleBroken(
            Explanation(
                f"This assignment asks you to write the computation yourself; the program uses {listed}. "
                "Replace it by your own code.",
                expected="none of: " + ", ".join(self._rules.forbidden),
                got=listed,
                evidence="seen in the text",
            )
        )

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """Remarks for staff on what the rules cannot follow in the text."""
        return tuple(self._find_remarks()) if self._rules.forbidden else ()

    def _find_remarks(self) -> Iterator[str]:
        texts, function = self._texts, self._question.function
        if texts.find(function) is None and self._question.module in self._modules:
            yield f"the text of {function} was not found, so that no rule was applied to it"
        for use in dynamic_uses(texts, function, self.outside)[:MOST]:
            yield f"dynamic look-up, which the rules cannot follow: {use}"
        for use in machinery_uses(texts, function, self.outside)[:MOST]:
            yield f"machinery by which a trace can be evaded: {use}"


def outside(assignment: Assignment, question: Question) -> frozenset[str]:
    """Functions and classes into which no rule of the question looks: given ones, and other questions' own."""
    content = assignment.content
    return frozenset(other.function for other in content.questions) - {question.function} | set(content.given)
