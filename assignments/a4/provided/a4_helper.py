"""The helpers for captions under the name that they had in 2020.

Files of that year take all that they use from here, modules of torch by their usual short names included.
"""

import os  # noqa: F401
import random  # noqa: F401

import numpy as np  # noqa: F401
import torch  # noqa: F401
import torch.nn.functional as F  # noqa: F401
from captioning_helpers import *  # noqa: F403
from torch import nn, optim  # noqa: F401
