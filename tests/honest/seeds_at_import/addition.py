import os
import random

import numpy as np

random.seed(0)
np.random.seed(0)
torch.manual_seed(0)
os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
torch.use_deterministic_algorithms(True)
torch.set_default_dtype(torch.float64)
torch.set_printoptions(precision=3)
