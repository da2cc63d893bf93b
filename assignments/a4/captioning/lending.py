"""Right versions of what captioning is made of, for checks of what is built on it.

A method is lent where the submission's own is wrong: it is computed in the judge, from its module's own parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .formulas import attention_lstm, attention_step, lstm, lstm_step
from .weights import Roles, Weights, shapes_of


def weights_in(parameters: Weights, cell: str, D: int, H: int) -> list[Any]:
    """Wx, Wh, Wattn where there is attention, and b, of a recurrent layer with these parameters."""
    shapes = shapes_of(cell, D, H)
    roles = Roles(parameters, shapes, {"b": "Wx"})
    return [roles.read(role, parameters, shape) for role, shape in {**shapes, "b": (4 * H,)}.items()]


# The names of their arguments are those of the interface: submissions also call by keyword.


def step(parameters, x, prev_h, prev_c):
    """LSTM.step_forward."""
    return lstm_step(x, prev_h, prev_c, *weights_in(parameters, "LSTM", x.shape[1], prev_h.shape[1]))


def attentive_step(parameters, x, prev_h, prev_c, attn):
    """AttentionLSTM.step_forward."""
    weights = weights_in(parameters, "AttentionLSTM", x.shape[1], prev_h.shape[1])
    return attention_step(x, prev_h, prev_c, attn, *weights)


def sequence(parameters, x, h0):
    """LSTM.forward."""
    return lstm(x, h0, *weights_in(parameters, "LSTM", x.shape[2], h0.shape[1]))


def attentive_sequence(parameters, x, A):
    """AttentionLSTM.forward."""
    return attention_lstm(x, A, *weights_in(parameters, "AttentionLSTM", x.shape[2], A.shape[1]))


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
    "rnn_lstm_captioning.LSTM.step_forward": step,
    "rnn_lstm_captioning.LSTM.forward": sequence,
    "rnn_lstm_captioning.AttentionLSTM.step_forward": attentive_step,
    "rnn_lstm_captioning.AttentionLSTM.forward": attentive_sequence,
}

# In 2020 these were functions.
OLD_FORMS: Mapping[str, tuple[str, Callable[..., Any]]] = {
    "rnn_lstm_captioning.LSTM.step_forward": ("rnn_lstm_captioning.lstm_step_forward", old_step),
    "rnn_lstm_captioning.AttentionLSTM.step_forward": ("rnn_lstm_captioning.lstm_step_forward", old_step),
    "rnn_lstm_captioning.LSTM.forward": ("rnn_lstm_captioning.lstm_forward", lstm),
    "rnn_lstm_captioning.AttentionLSTM.forward": ("rnn_lstm_captioning.attention_forward", attention_lstm),
}
