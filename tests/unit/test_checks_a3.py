"""Right solutions of A3 in other forms than the reference's keep their points; wrong ones lose no more than theirs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORMS = ROOT / "tests" / "unit" / "forms_a3"
REFERENCE = ROOT / "reference" / "a3"


def lost(folder: Path, tests: str, selection: str) -> set[str]:
    """The checks of A3, of those that ``tests`` holds and ``selection`` names, that do not pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"assignments/a3/{tests}"]
    command += ["-k", selection, "--submission", str(folder), "--seed", "s", "-rfE"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout[-4000:] + done.stderr[-4000:]
    assert "passed" in done.stdout or "failed" in done.stdout, done.stdout[-4000:]
    marks = [line.split()[1] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return {mark.partition("::")[2] for mark in marks}


def changed(file: str, folder: Path, changes: dict[str, str]) -> None:
    """The reference's ``file``, with some of its text replaced, in ``folder``."""
    text = (REFERENCE / file).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / file).write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_a_formula_in_loops_is_not_taken_for_differences(tmp_path: Path) -> None:
    shutil.copy(FORMS / "conv_loops.py", tmp_path / "convolutional_networks.py")
    assert lost(tmp_path, "test_conv.py", "backward_cost or conv_dx") == set()


@pytest.mark.slow
def test_differences_are_told_from_a_formula(tmp_path: Path) -> None:
    shutil.copy(FORMS / "conv_differences.py", tmp_path / "convolutional_networks.py")
    assert lost(tmp_path, "test_conv.py", "backward_cost or conv_dw") == {"test_conv_backward_cost"}


@pytest.mark.slow
def test_torchs_relu_is_allowed_and_that_of_its_layers_is_not(tmp_path: Path) -> None:
    for name, function in (("allowed", "torch.relu(x)"), ("forbidden", "torch.nn.functional.relu(x)")):
        (tmp_path / name).mkdir()
        changed("fully_connected_networks.py", tmp_path / name, {"return x.clamp(min=0), x": f"return {function}, x"})
    assert lost(tmp_path / "allowed", "test_linear.py", "relu") == set()
    assert {"test_relu", "test_relu_small"} <= lost(tmp_path / "forbidden", "test_linear.py", "relu")


@pytest.mark.slow
def test_an_epsilon_of_ones_own_costs_what_asks_for_it(tmp_path: Path) -> None:
    own = {'(v_hat.sqrt() + config["epsilon"])': "(v_hat.sqrt() + 1e-7)"}
    changed("fully_connected_networks.py", tmp_path, own)
    assert lost(tmp_path, "test_optimisers.py", "adam") == {"test_adam_careful"}


@pytest.mark.slow
def test_a_backward_pass_without_eps_costs_what_asks_for_it(tmp_path: Path) -> None:
    without = {
        "        return dx.mul_(gamma * inv_std), dgamma, dbeta": (
            "        return dx.mul_(gamma / (centred * centred).mean(dim=0).sqrt()), dgamma, dbeta"
        )
    }
    changed("convolutional_networks.py", tmp_path, without)
    assert lost(tmp_path, "test_batchnorm.py", "alternative") == {"test_alternative_larger"}


@pytest.mark.slow
def test_names_counted_from_zero_cost_the_constructor_alone(tmp_path: Path) -> None:
    from_zero = {
        'params[f"W{i}"] = weight_scale * torch.randn(dims[i - 1]': (
            'params[f"W{i - 1}"] = weight_scale * torch.randn(dims[i - 1]'
        ),
        'params[f"b{i}"] = torch.zeros(dims[i]': 'params[f"b{i - 1}"] = torch.zeros(dims[i]',
        'W = [params[f"W{i}"]': 'W = [params[f"W{i - 1}"]',
        'b = [params[f"b{i}"]': 'b = [params[f"b{i - 1}"]',
        'grads[f"W{i + 1}"]': 'grads[f"W{i}"]',
        'grads[f"b{i + 1}"]': 'grads[f"b{i}"]',
    }
    changed("fully_connected_networks.py", tmp_path, from_zero)
    assert lost(tmp_path, "test_nets.py", "test_deep") == {"test_deep_begin"}
