"""The CPU in CUDA's place: what files ask of a device goes on working, and torch's own parts with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import torch
from grader.player.devices import OF_CUDA_ALONE, install

install("cpu-for-cuda")
w = torch.nn.Parameter(torch.ones(3, device="cuda"))
"""
ASKS = """
assert w.device.type == w.cuda().device.type == w.to("cuda:0").to(0).device.type == "cpu"
assert torch.nn.Linear(2, 2).cuda().to(torch.device("cuda")).weight.device.type == "cpu"
with torch.cuda.device(0):
    for name in OF_CUDA_ALONE:
        getattr(torch.cuda, name)()
"""
OPTIMISES = """
for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop):
    optimizer = kind([w], lr=0.1)
    before = w.detach().clone()
    (w * w).sum().backward()
    optimizer.step()
    assert not torch.equal(before, w)
torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9).step()
"""


@pytest.mark.parametrize("code", [ASKS, OPTIMISES], ids=["asks", "optimises"])
def test_the_cpu_takes_the_place_of_cuda(code):
    # In a process of its own: what is put in CUDA's place stays there.
    done = subprocess.run([sys.executable, "-c", CODE + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
