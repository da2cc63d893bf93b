"""What players find warm: nothing is imported by them one by one that all of them need."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import random, sys
from grader.player import zygote
zygote.preload()
import numpy, torch
from grader.player.load import Library
from grader.player.trace import traced

before = set(sys.modules)
numpy.random.seed(1), random.seed(1), torch.manual_seed(1)
numpy.linalg.norm(numpy.fft.fft(numpy.ones(4)))
repr(torch.ones(2))
torch.einsum("ij,jk->ik", torch.ones(2, 2), torch.ones(2, 2))
torch.nn.functional.pad(torch.ones(2, 2), (1, 1))
with traced({}, Library({}, (), {})) as trace:
    torch.ones(3) + 1
assert trace.operations["aten.add"] == 1
sys.stdout.write(" ".join(sorted(set(sys.modules) - before)))
"""


def test_what_every_player_does_imports_nothing():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == ""
