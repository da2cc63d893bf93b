"""Helpers that the assignments give to everybody: training loop, data, gradient checks, pictures.

Nothing here needs more than torch; what draws or reads files imports its own needs when it is called.
"""

from . import data, grad, utils, vis
from .solver import Solver
from .utils import reset_seed
from .vis import tensor_to_image, visualize_dataset

__all__ = ["Solver", "data", "grad", "reset_seed", "tensor_to_image", "utils", "vis", "visualize_dataset"]
