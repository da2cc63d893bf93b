"""What a call may cost."""

import pytest

from grader.contract.verdict import CheckFailed
from grader.judge.play import Cost


def spent(cpu_seconds):
    return Cost(None, cpu_seconds, 100.0, 0)


def test_computing_up_to_the_limit_is_accepted_however_long_it_took_on_the_clock():
    spent(2.0).require_below(2.0, "It takes too long.")


@pytest.mark.parametrize(
    ("said", "expected"), [("", "less than 2 seconds"), ("2 seconds for 8 rows", "2 seconds for 8 rows")]
)
def test_more_is_a_failed_check_that_says_the_limit_and_the_time(said, expected):
    with pytest.raises(CheckFailed, match="takes too long") as failed:
        spent(12.34).require_below(2.0, "It takes too long.", said)
    assert failed.value.explanation.expected == expected
    assert failed.value.explanation.got == "12.3 seconds"
