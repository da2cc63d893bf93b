"""A small input on which a submission fails, for a check that failed: found between a player and the reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, reduce
from typing import Any

from grader.contract.verdict import SubmissionProblem
from grader.judge.answers import Place, places_that_differ, same
from grader.judge.players import Answered, Player
from grader.judge.smallest import BUDGET, Smaller, alone, in_words, played
from grader.judge.student import RemoteObject
from grader.judge.theatre import Scene, Theatre

MOST_PLACES = 4
"""Of more places where answers are wrong, the others are not looked at."""


class Examples:
    """Searches small inputs. Args: what runs the reference."""

    def __init__(self, theatre: Theatre) -> None:
        self._theatre = theatre

    def example(self, scene: Scene) -> str:
        """The smallest input that was found on which the submission fails as in this scene, in words, or nothing."""
        place = self._place(scene) if scene.script.can_be_read else None
        call = alone(scene.script, scene.heard.first, place) if place is not None else None
        if call is None:
            return ""
        script, heard, where = call
        answers = partial(self._theatre.answers, heard=Answered(tuple(heard)))
        if not _alike(answers(script), answers(replace(script, seed=script.seed + 1))):
            return ""  # what is drawn at random cannot be compared
        try:
            with self._player(scene, script.seed) as player:
                found = Smaller(script, where, answers, partial(played, player, heard)).smallest()
            if found is None:
                return ""
            # Once more where nothing was asked before.
            with self._player(scene, script.seed) as player:
                example = Smaller(script, where, answers, partial(played, player, heard)).tried(found)
        except SubmissionProblem:
            return ""
        return in_words(example, self._function) if example is not None else ""

    def _place(self, scene: Scene) -> Place | None:
        """Where the answer that the check complains of is wrong."""
        places = places_that_differ(scene.heard.first, scene.right)
        if len(places) == 1:
            return places[0]
        return next((place for place in places[:MOST_PLACES] if self._theatre.is_to_blame([place], scene)), None)

    @contextmanager
    def _player(self, scene: Scene, seed: int) -> Iterator[Player]:
        """A fresh player of the submission."""
        player = scene.part.bench().player()
        player.objects.wrap = lambda held: RemoteObject(player, held)
        try:
            player.begin(seed, BUDGET)
            yield player
        finally:
            player.close()

    def _function(self, path: str) -> Any:
        module, *names = path.split(".")
        return reduce(getattr, names, self._theatre.reference[module])


def _alike(some: Sequence[object], others: Sequence[object]) -> bool:
    return len(some) == len(others) and all(map(same, some, others))
