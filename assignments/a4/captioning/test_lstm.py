"""Checks of captioning: the LSTM, one step and many."""

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import hide_errors, number, visibility, weight

LARGER_DRAW = "A second draw with other sizes came out wrong. Look for a size that is written into the method."


@pytest.fixture
def lstm(cell):
    """`lstm(D, H)`: an LSTM of the submission."""
    return lambda D=5, H=4, **how: cell("LSTM", D, H, **how)


# ---- 7. LSTM.step_forward ------------------------------------------------------------------------------------------


@number("7.1")
@weight(2)
@visibility("visible")
def test_step(lstm):
    """LSTM.step_forward returns next_h and next_c, with the gates in the order i, f, o, g."""
    lstm().check_step(3, dtype=False)


@number("7.2")
@weight(1)
@visibility("visible")
def test_step_autograd(lstm):
    """LSTM.step_forward can be followed by autograd, to its inputs and to its parameters."""
    lstm().check_autograd("step_forward", 3)


@number("7.3")
@weight(1)
@visibility("visible")
def test_step_careful(lstm):
    """LSTM.step_forward keeps the dtype, leaves its inputs as they were, and keeps nothing for the next call."""
    lstm(dtype=torch.float32).check_step(3)
    lstm().check_kept("step_forward", 3)


@number("7.4")
@weight(1)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_step_larger(lstm):
    """LSTM.step_forward is right for other sizes, too."""
    lstm(3, 11).check_step(7, dtype=False)
    lstm(6, 6).check_step(6, dtype=False)


# ---- 8. LSTM.forward -----------------------------------------------------------------------------------------------


@number("8.1")
@weight(1.5)
@visibility("visible")
def test_sequence(lstm):
    """LSTM.forward returns the hidden states of all steps, (N, T, H), beginning with h0 and a cell state of 0."""
    lstm().check_sequence(2, 4, dtype=False)


@number("8.2")
@weight(1)
@visibility("visible")
def test_sequence_autograd(lstm):
    """LSTM.forward can be followed by autograd, through all steps, to its inputs and to its parameters."""
    lstm().check_autograd("forward", 2, 3)


@number("8.3")
@weight(1)
@visibility("visible")
def test_sequence_careful(lstm):
    """LSTM.forward keeps the dtype, leaves its inputs as they were, and keeps no state for the next call."""
    lstm(dtype=torch.float32).check_sequence(2, 4)
    lstm().check_kept("forward", 2, 3)


@number("8.4")
@weight(0.5)
@visibility("hidden")
@hide_errors(LARGER_DRAW)
def test_sequence_larger(lstm):
    """LSTM.forward is right for other sizes, and for a single step, too."""
    for D, H, N, T in ((3, 7, 4, 15), (6, 6, 3, 1)):
        layer = lstm(D, H)
        layer.check_sequence(N, T, dtype=False)
