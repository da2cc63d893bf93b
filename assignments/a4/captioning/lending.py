"""Right versions of what captioning is made of, for checks of what is built on it.

A method is lent where the submission's own is wrong: it is computed in the judge, from its module's own parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .formulas import SEQUENCES, STEPS, attention_lstm, attention_step, lstm, lstm_step
from .weights import Roles, Weights, shapes_of


def weights_in(parameters: Weights, cell: str, D: int, H: int) -> list[Any]:
    """Wx, Wh, Wattn where there is attention, and b, of a recurrent layer with these parameters."""
    shapes = shapes_of(cell, D, H)
    roles = Roles(parameters, shapes, {"b": "Wx"})
    return [roles.read(role, parameters, shape) for role, shape in {**shapes, "b": (4 * H,)}.items()]


def step_of(cell: str) -> Callable[..., Any]:
    """LSTM.step_forward or AttentionLSTM.step_forward."""

    def step(parameters, x, prev_h, *more):
        return STEPS[cell](x, prev_h, *more, *weights_in(parameters, cell, x.shape[1], prev_h.shape[1]))

    return step


def sequence_of(cell: str) -> Callable[..., Any]:
    """LSTM.forward or AttentionLSTM.forward."""

    def sequence(parameters, x, start):
        return SEQUENCES[cell](x, start, *weights_in(parameters, cell, x.shape[2], start.shape[1]))

    return sequence


def embedding(parameters, x):
    """WordEmbedding.forward."""
    (rows,) = parameters.values()
    return rows[x]


def old_step(x, prev_h, prev_c, Wx, Wh, b, attn=None, Wattn=None):
    """A step in the form of 2020, with attention or without."""
    if attn is None:
        return lstm_step(x, prev_h, prev_c, Wx, Wh, b)
    return attention_step(x, prev_h, prev_c, attn, Wx, Wh, Wattn, b)


METHODS: Mapping[str, Callable[..., Any]] = {
    "rnn_lstm_captioning.WordEmbedding.forward": embedding,
    "rnn_lstm_captioning.LSTM.step_forward": step_of("LSTM"),
    "rnn_lstm_captioning.LSTM.forward": sequence_of("LSTM"),
    "rnn_lstm_captioning.AttentionLSTM.step_forward": step_of("AttentionLSTM"),
    "rnn_lstm_captioning.AttentionLSTM.forward": sequence_of("AttentionLSTM"),
}

# In 2020 these were functions.
OLD_FORMS: Mapping[str, tuple[str, Callable[..., Any]]] = {
    "rnn_lstm_captioning.LSTM.step_forward": ("rnn_lstm_captioning.lstm_step_forward", old_step),
    "rnn_lstm_captioning.AttentionLSTM.step_forward": ("rnn_lstm_captioning.lstm_step_forward", old_step),
    "rnn_lstm_captioning.LSTM.forward": ("rnn_lstm_captioning.lstm_forward", lstm),
    "rnn_lstm_captioning.AttentionLSTM.forward": ("rnn_lstm_captioning.attention_forward", attention_lstm),
}
