"""Spreads the checks of one submission over xdist's workers, so that a check that ends its worker costs itself alone.

xdist 3.8's own schedulers of groups give a check that ended its worker to the next one as well, and leave a worker
waiting that comes late and gets a single check.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from grader.contract.ledger import Ledger
from grader.judge.checks import name_in
from grader.judge.order import Order

WORKER_INPUT = "scratchgrade_order"


class Workers:
    """The plugin of the controller: hands the order to every worker, and shares out the checks."""

    def __init__(self, order: Order) -> None:
        self.order = order

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Called by xdist for each worker before it starts."""
        node.workerinput[WORKER_INPUT] = self.order.to_json()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> LoadScopeScheduling:
        """Called by xdist once, before there are workers."""
        return Scheduling(self.order, config, log)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Shares out questions: the time limits of a question's checks then do not depend on the number of workers."""

    def __init__(self, order: Order, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self.order = order

    @cached_property
    def _questions(self) -> dict[str, str]:
        """Check -> question, from the ledger that the first worker has written by the time checks are shared out."""
        ledger = Ledger.from_json(self.order.ledger_file.read_text())
        return {entry.check: entry.number.rpartition(".")[0] for entry in ledger.entries}

    def _split_scope(self, nodeid: str) -> str:
        return self._questions.get(name_in(nodeid), nodeid)

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
        # A worker keeps its last check back until it has another one, or knows that none follows.
        while self.workqueue and not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            self._assign_work_unit(node)
        if not self.workqueue and not node.shutting_down:
            node.shutdown()
