"""Spreads the checks of one submission over xdist's workers, so that a check that ends its worker costs itself alone.

xdist's own scheduler of groups gives a check that ended its worker to the next one as well, and leaves a worker waiting
that comes late and gets a single check (both as of xdist 3.8).
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]

from grader.judge.order import Order

WORKER_INPUT = "scratchgrade_order"


class Workers:
    """The plugin of the controller: hands the order to every worker, and shares out the checks."""

    def __init__(self, order: Order) -> None:
        self.text = order.to_json()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Called by xdist for each worker before it starts."""
        node.workerinput[WORKER_INPUT] = self.text

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> LoadGroupScheduling:
        """Checks of one question stay together, so that its time limits do not depend on the number of workers."""
        return Scheduling(config, log)


class Scheduling(LoadGroupScheduling):  # type: ignore[misc]
    """Shares out groups of checks; none is begun twice."""

    def remove_node(self, node: Any) -> str | None:
        """Takes a worker that has ended off the list. Returns the check that ended it, if one did."""
        workload = self.assigned_work.pop(node)
        left = [(group, str(check)) for group in workload.values() for check, done in group.items() if not done]
        if not left:
            return None
        group, ended = left[0]
        group[ended] = True
        self.workqueue.update({name: group for name, group in workload.items() if not all(group.values())})
        for other in self.assigned_work:
            self._reschedule(other)
        return ended

    def _reschedule(self, node: Any) -> None:
        if node not in self.registered_collections:
            return  # it has not said yet which checks it found
        super()._reschedule(node)
        if not self.workqueue and not node.shutting_down:
            # A worker keeps its last check back until it knows that no other follows.
            node.shutdown()
