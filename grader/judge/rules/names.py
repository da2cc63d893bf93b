"""Names of functions, and the rules that forbid them.

A function of torch has several names: those that people write, and those under which the trace meets it. Rules are
about the former. ``torch.nn`` is also known by the twins of its layers directly below ``torch``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from grader.contract.assignment import Rules

# What a rule means beside the names that begin with its own.
SAME_THING = {
    "torch.autograd": (
        "Tensor.backward",
        "Tensor.requires_grad_",
        "Tensor.requires_grad.__set__",
        "Tensor.grad_fn",
        "torch.func",
        "torch.enable_grad",
        "torch._C._functorch",
    ),
    "torch.nn": ("torch._C._nn", "torch.ops.aten"),
    "torch.cdist": ("torch.pairwise_distance",),
    "torch.norm": ("Tensor.norm", "torch.linalg.vector_norm"),
    "torch.nn.RNN": ("torch.rnn_tanh", "torch.rnn_relu"),
    "torch.nn.RNNCell": ("torch.rnn_tanh_cell", "torch.rnn_relu_cell"),
    "torch.nn.LSTM": ("torch.lstm",),
    "torch.nn.LSTMCell": ("torch.lstm_cell",),
    "torch.nn.GRU": ("torch.gru",),
    "torch.nn.GRUCell": ("torch.gru_cell",),
    "torch.nn.LayerNorm": ("torch.nn.functional.layer_norm",),
    "torch.nn.MultiheadAttention": (
        "torch.nn.functional.multi_head_attention_forward",
        "torch.nn.functional.scaled_dot_product_attention",
        "torch._native_multi_head_attention",
    ),
}

# Wherever anything is forbidden, so are the ways to all of torch under other names. What is built of several operators
# is taken apart before the trace can see its own.
WAYS_ROUND = (
    "torch.ops",
    "torch._ops",
    "torch._C._get_operation_overload",
    "torch._C._jit_get_operation",
    "torch.library",
    "torch._refs",
    "torch._prims",
    "torch._decomp",
)

# Where torch keeps what has a shorter name. The patterns are tried in this order.
_HOMES = tuple(
    (re.compile(home), name)
    for home, name in (
        (r"^grad$", "torch.autograd.grad"),  # the engine itself, which has no module
        (r"^aten\.", "torch.ops.aten."),
        (r"^torch\._tensor\.|^torch\.(?=Tensor\.)|^_TensorBase\.(?=\w)", ""),
        (r"^torch\.(_VariableFunctionsClass|_C\._VariableFunctions|functional)\.", "torch."),
        (r"^torch\._C\._nn\.", "torch.nn.functional."),
        (r"^torch\._C\._(linalg|special|fft)\.\1_", r"torch.\1."),
        (r"^torch\.nn\.modules\.\w+\.", "torch.nn."),
        (r"^torch\._functorch\.apis\.vmap\b", "torch.vmap"),
        (r"^torch\._functorch\.(apis|eager_transforms)\.", "torch.func."),
        (r"^torch\.autograd\.grad_mode\.", "torch."),
    )
)

# Functions below `torch` that are layers, or the work of one: `torch.conv2d` is `torch.nn.functional.conv2d`.
_LAYER = re.compile(
    r"torch\.(?:native_|cudnn_|miopen_|mkldnn_|_)?("
    r"conv(?:\d|_|olution)\w*|\w*max_pool\w*|\w*avg_pool\w*|(?:batch|layer|group|instance|rms)_norm|\w*dropout_?|"
    r"(?:rnn_tanh|rnn_relu|lstm|gru)(?:_cell)?|embedding\w*|\w+_loss|kl_div|cosine_similarity|pairwise_distance|prelu)"
)
_FUNCTIONAL = "torch.nn.functional."


def public(name: str) -> str:
    """The name that people write for a function that the trace calls ``name``."""
    for home, shorter in _HOMES:
        name = home.sub(shorter, name)
    return name


def forbidden(name: str, rules: Rules) -> str | None:
    """The name by which ``name`` breaks a rule, or ``None``."""
    spellings = list(_spellings(name))
    if any(_covers(allowed, spelling) for allowed in rules.allowed for spelling in spellings):
        return None
    for rule in (*rules.forbidden, *WAYS_ROUND) if rules.forbidden else ():
        if any(_covers(known, spelling) for known in _known(rule) for spelling in spellings):
            return name
    return None


def _known(rule: str) -> tuple[str, ...]:
    return (rule, *SAME_THING.get(rule, ()))


def _spellings(name: str) -> Iterator[str]:
    """``name``, the public name of the same function, and that of its twin."""
    known = public(name)
    yield from {name, known}
    layer = _LAYER.fullmatch(known)
    if layer:
        yield _FUNCTIONAL + layer[1]
    elif known.startswith(_FUNCTIONAL) and _LAYER.fullmatch("torch." + known.removeprefix(_FUNCTIONAL)):
        yield "torch." + known.removeprefix(_FUNCTIONAL)


def _covers(rule: str, name: str) -> bool:
    return name == rule or name.startswith(rule + ".")
