"""Gradients of functions that the judge lends: order, zeros, and arguments that do not fit."""

from __future__ import annotations

import pytest
import torch

from grader.contract.trees import floating_in, with_floating
from grader.judge.lending import gradients_of


def test_tensors_with_gradients_are_found_and_replaced_from_left_to_right() -> None:
    x, y, words = torch.zeros(1), torch.ones(2), torch.arange(3)
    # A dtype has an attribute is_floating_point as well.
    tree = [x, torch.float32, {"words": words, "more": (y, "text", None)}]
    assert [id(value) for value in floating_in(tree)] == [id(x), id(y)]
    changed = with_floating(tree, len)
    assert changed[0] == 1 and changed[2]["more"] == (2, "text", None) and changed[2]["words"] is words


def test_each_argument_gets_the_gradient_of_all_results() -> None:
    x, y = torch.tensor([1.0, 2.0]), torch.tensor(3.0)
    dx, dy, unused = gradients_of(lambda x, y, z: (x * y, y**2), [x, y, x], {}, [torch.ones(2), torch.tensor(10.0)])
    assert torch.equal(dx, torch.full((2,), 3.0)) and dy == 3 + 60 and not unused.any()


def test_what_is_cut_off_has_the_gradient_zero() -> None:
    (dx,) = gradients_of(lambda x: x.detach() * 2, [torch.ones(2)], {}, [torch.ones(2)])
    assert torch.equal(dx, torch.zeros(2))


@pytest.mark.parametrize("douts", [[], [torch.ones(3)], [torch.ones(2), torch.ones(2)]])
def test_upstream_gradients_that_do_not_fit_are_refused(douts: list[torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        gradients_of(lambda x: 2 * x, [torch.ones(2)], {}, douts)
