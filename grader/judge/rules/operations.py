"""Operations that torch dispatches, and the functions that lead to them.

A trace tells which operation ran, under whatever name it was asked for; a rule tells which functions are forbidden. An
operation is held against a program only where every function that leads to it is forbidden: `torch.softmax` may be
allowed where `torch.nn.functional.softmax` is not, and both end in `aten._softmax`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from grader.contract.assignment import Rules
from grader.judge.rules.names import forbidden


@dataclass(frozen=True)
class Kind:
    """Operations that do one thing.

    Attributes:
        operations: patterns of their names in ``aten``.
        functions: the public functions that lead to them.
    """

    operations: tuple[str, ...]
    functions: tuple[str, ...]

    def holds(self, operation: str) -> bool:
        """Whether the operation is of this kind."""
        return any(fnmatchcase(operation, pattern) for pattern in self.operations)


def _functional(*names: str) -> tuple[str, ...]:
    return tuple(f"torch.nn.functional.{name}" for name in names)


# Source: the operators that torch 2.13 registers in `aten`, and which of them its functions were seen to dispatch. What
# is missing decomposes into ordinary arithmetic: the cells of recurrent networks, root-mean-square norms on a CPU.
KINDS = (
    Kind(
        ("*convolution*", "conv[123]d", "conv_t*", "*slow_conv*", "*conv_depthwise*", "*conv[123]d_*"),
        _functional("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    ),
    Kind(("*max_pool*",), _functional("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool2d")),
    Kind(("*avg_pool*",), _functional("avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool2d")),
    Kind(("*batch_norm*",), _functional("batch_norm")),
    Kind(("*layer_norm*",), _functional("layer_norm")),
    Kind(("*group_norm*",), _functional("group_norm")),
    Kind(("instance_norm",), _functional("instance_norm")),
    Kind(("*rms_norm*",), _functional("rms_norm")),
    Kind(("*dropout*",), _functional("dropout")),
    Kind(("embedding", "_embedding_bag*"), _functional("embedding", "embedding_bag")),
    Kind(("im2col",), _functional("unfold")),
    Kind(("col2im",), _functional("fold")),
    Kind(("unfold",), ("Tensor.unfold",)),
    Kind(("grid_sampler*", "upsample_*"), _functional("grid_sample", "interpolate")),
    Kind(("cdist", "_cdist_*", "_euclidean_dist"), ("torch.cdist",)),
    Kind(("pdist", "_pdist_*"), ("torch.pdist",)),
    Kind(("dist",), ("torch.dist", "Tensor.dist")),
    Kind(
        ("norm", "linalg_vector_norm", "linalg_norm", "frobenius_norm"),
        ("torch.norm", "Tensor.norm", "torch.linalg.norm", "torch.nn.functional.normalize"),
    ),
    Kind(
        ("softmax", "_softmax", "_safe_softmax"),
        ("torch.nn.functional.softmax", "torch.softmax", "Tensor.softmax", "torch.special.softmax"),
    ),
    Kind(
        ("log_softmax", "_log_softmax"),
        ("torch.nn.functional.log_softmax", "torch.log_softmax", "Tensor.log_softmax", "torch.special.log_softmax"),
    ),
    Kind(("logsumexp",), ("torch.logsumexp", "Tensor.logsumexp", "torch.special.logsumexp")),
    Kind(("cross_entropy_loss", "*nll_loss*"), _functional("cross_entropy", "nll_loss")),
    Kind(("multi_margin_loss", "multilabel_margin_loss*"), _functional("multi_margin_loss")),
    Kind(("binary_cross_entropy*",), _functional("binary_cross_entropy", "binary_cross_entropy_with_logits")),
    Kind(("kl_div",), _functional("kl_div")),
    Kind(
        ("relu", "relu_"),
        ("torch.nn.functional.relu", "torch.relu", "torch.relu_", "Tensor.relu", "Tensor.relu_"),
    ),
    Kind(
        ("lstm", "gru", "rnn_tanh", "rnn_relu", "*_cell", "mkldnn_rnn_layer*", "*cudnn_rnn*", "_thnn_fused_*"),
        ("torch.nn.RNN", "torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNNCell", "torch.nn.LSTMCell", "torch.nn.GRUCell"),
    ),
    Kind(
        ("*scaled_dot_product_*", "_flash_attention*", "_efficient_attention*", "_native_multi_head_attention"),
        ("torch.nn.functional.scaled_dot_product_attention", "torch.nn.MultiheadAttention"),
    ),
    Kind(("_transformer_encoder_layer_fwd",), ("torch.nn.TransformerEncoderLayer",)),
)


def base(operation: str) -> str:
    """``conv2d`` of ``aten.conv2d.default``."""
    return operation.partition(".")[2].partition(".")[0]


@lru_cache(maxsize=4096)
def _kinds_of(operation: str) -> tuple[Kind, ...]:
    """The kinds of an operation: every trace of a grading asks for those of the same few dozen."""
    return tuple(kind for kind in KINDS if kind.holds(base(operation)))


def held(operation: str, rules: Rules) -> bool:
    """Whether ``operation`` (``aten.convolution``) can only come from functions that the rules forbid."""
    return any(all(forbidden(name, rules) for name in kind.functions) for kind in _kinds_of(operation))


def unexplained(operation: str, functions: Iterable[str], rules: Rules) -> bool:
    """Whether ``operation`` may come from a forbidden function, and no allowed one that leads to it was called.

    ``functions`` are the public names of what was called.
    """
    called = set(functions)
    for kind in _kinds_of(operation):
        if any(forbidden(name, rules) for name in kind.functions):
            return not any(name in called and not forbidden(name, rules) for name in kind.functions)
    return False
