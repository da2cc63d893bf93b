"""Checks of A3: update rules, along trajectories of many steps."""

from typing import ClassVar

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, visibility, weight

from grader.contract.verdict import CheckFailed


class Momentum:
    """v = mu v - lr dw; w = w + v."""

    name, state, size = "sgd_momentum", {"velocity": 1.0}, 1.0
    defaults: ClassVar = {"learning_rate": 1e-2, "momentum": 0.9}
    other: ClassVar = {"learning_rate": 0.05, "momentum": 0.6}

    @staticmethod
    def step(w, dw, s):
        v = s["momentum"] * s.get("velocity", 0) - s["learning_rate"] * dw
        return w + v, {**s, "velocity": v}


class RMSProp:
    """Division by the root of a running mean of squares."""

    # Gradients are so large that epsilon does not show: whether it is read from config is a question of its own.
    name, state, size = "rmsprop", {"cache": 1e6}, 1e3
    defaults: ClassVar = {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8}
    other: ClassVar = {"learning_rate": 0.05, "decay_rate": 0.8, "epsilon": 1e-8}

    @staticmethod
    def step(w, dw, s):
        cache = s["decay_rate"] * s.get("cache", 0) + (1 - s["decay_rate"]) * dw**2
        return w - s["learning_rate"] * dw / (cache.sqrt() + s["epsilon"]), {**s, "cache": cache}


class Adam:
    """Both, freed of their bias towards 0."""

    name, state, size = "adam", {"m": 1e3, "v": 1e6, "t": None}, 1e3
    defaults: ClassVar = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    other: ClassVar = {"learning_rate": 0.05, "beta1": 0.7, "beta2": 0.9, "epsilon": 1e-8}

    @staticmethod
    def step(w, dw, s):
        t = s.get("t", 0) + 1
        m = s["beta1"] * s.get("m", 0) + (1 - s["beta1"]) * dw
        v = s["beta2"] * s.get("v", 0) + (1 - s["beta2"]) * dw**2
        m_hat, v_hat = m / (1 - s["beta1"] ** t), v / (1 - s["beta2"] ** t)
        return w - s["learning_rate"] * m_hat / (v_hat.sqrt() + s["epsilon"]), {**s, "m": m, "v": v, "t": t}


class Rule:
    """Checks of one update rule."""

    def __init__(self, right, student, draw, expect, rules):
        self.right, self.draw, self.expect, self.rules = right, draw, expect, rules
        self.function = getattr(student.fully_connected_networks, right.name)

    def step(self, w, dw, config):
        got = self.function(w, dw, config)
        if type(got) not in (tuple, list) or len(got) != 2 or type(got[1]) is not dict:
            raise CheckFailed("The function should return two things: next_w, and config as a dict.")
        return got

    def walk(self, config, settings, steps, dtype=torch.float64, size=None):
        """Steps along gradients that are drawn; every next_w is compared. Returns the last config and the right one."""
        w = self.draw.normal(4, 5, dtype=dtype)
        mine, right = w, w
        for step in range(1, steps + 1):
            dw = self.draw.normal(4, 5, dtype=dtype, scale=size or self.right.size)
            # None near zero, where an epsilon in another place would show by chance.
            dw = dw + dw.sign() * (size or self.right.size)
            mine, config = self.step(mine, dw, config)
            right, settings = self.right.step(right, dw, settings)
            self.expect(mine, f"next_w after {step} step{'s' * (step > 1)}").matches(
                right, dtype=dtype is torch.float32
            )
        return config, settings

    def first_step(self):
        """A single step from a fresh start."""
        self.walk(dict(self.right.other), dict(self.right.other), 1)

    def trajectory(self):
        """Many steps, each with the config that the one before returned."""
        self.walk(dict(self.right.other), dict(self.right.other), 12)

    def defaults(self):
        """Without a config, the usual settings."""
        self.walk(None, dict(self.right.defaults), 4)

    def state(self):
        """What is kept in config, under its usual names, and that it is used from there."""
        begun = {
            name: size * self.draw.uniform(4, 5, low=0.1, high=1.0) if size else 5
            for name, size in self.right.state.items()
        }
        settings = {**self.right.other, **begun}
        sent = {name: value.clone() if torch.is_tensor(value) else value for name, value in settings.items()}
        config, right = self.walk(sent, settings, 3)
        for name in self.right.state:
            if name not in config:
                raise CheckFailed(f"config should keep {name!r} from one step to the next, under this name.")
            self.expect(config[name], f"config[{name!r}]").matches(right[name], dtype=False)

    def careful(self):
        """Float32, epsilon as it is set, and dw and w as they were."""
        settings = dict(self.right.other)
        self.walk(dict(settings), dict(settings), 3, torch.float32)
        if "epsilon" in settings:
            larger = {**settings, "epsilon": 0.05}
            self.walk(dict(larger), dict(larger), 3, size=1.0)
            # Only where gradients are small does the usual one show.
            self.walk(None, dict(self.right.defaults), 4, size=1e-7)
        w, dw = self.draw.normal(3, 2), self.draw.normal(3, 2)
        got, after = self.function.observed(w.clone(), dw.clone(), dict(settings))
        if type(got) not in (tuple, list) or len(got) != 2:
            raise CheckFailed("The function should return two things: next_w and config.")
        self.expect(got[0], "next_w").matches(self.right.step(w, dw, settings)[0], dtype=False)
        for name, now, before in zip(("w", "dw"), after, (w, dw), strict=False):
            self.expect(now, name).is_unchanged_from(before)

    def traced(self):
        """No optimiser of torch's."""
        self.first_step()
        self.rules.traced(self.function, self.draw.normal(3, 2), self.draw.normal(3, 2), dict(self.right.other))


@pytest.fixture
def momentum(student, draw, expect, rules):
    return Rule(Momentum, student, draw, expect, rules)


@pytest.fixture
def rms(student, draw, expect, rules):
    return Rule(RMSProp, student, draw, expect, rules)


@pytest.fixture
def adam(student, draw, expect, rules):
    return Rule(Adam, student, draw, expect, rules)


# ---- 11. sgd_momentum ----------------------------------------------------------------------------------------------


@number("11.1")
@weight(1)
@visibility("visible")
def test_momentum_trajectory(momentum):
    """sgd_momentum takes the right steps, many in a row."""
    momentum.trajectory()


@number("11.2")
@weight(1)
@visibility("visible")
def test_momentum_state(momentum):
    """sgd_momentum keeps its velocity in config, and goes on from there."""
    momentum.state()


@number("11.3")
@weight(0.5)
@visibility("visible")
def test_momentum_defaults(momentum):
    """sgd_momentum has the usual settings where no config is given, and computes the step itself."""
    momentum.defaults()
    momentum.traced()


@number("11.4")
@weight(0.5)
@visibility("visible")
def test_momentum_careful(momentum):
    """sgd_momentum works in float32, and leaves w and dw as they were."""
    momentum.careful()


# ---- 12. rmsprop ---------------------------------------------------------------------------------------------------


@number("12.1")
@weight(1)
@visibility("visible")
def test_rmsprop_trajectory(rms):
    """rmsprop takes the right steps, many in a row."""
    rms.trajectory()


@number("12.2")
@weight(1)
@visibility("visible")
def test_rmsprop_state(rms):
    """rmsprop keeps its cache in config, and goes on from there."""
    rms.state()


@number("12.3")
@weight(0.5)
@visibility("visible")
def test_rmsprop_defaults(rms):
    """rmsprop has the usual settings where no config is given, and computes the step itself."""
    rms.defaults()
    rms.traced()


@number("12.4")
@weight(0.5)
@visibility("visible")
def test_rmsprop_careful(rms):
    """rmsprop works in float32, takes epsilon from config, and leaves w and dw as they were."""
    rms.careful()


# ---- 13. adam ------------------------------------------------------------------------------------------------------


@number("13.1")
@weight(1)
@visibility("visible")
def test_adam_first_step(adam):
    """adam corrects the bias of m and v in the very first step, for which t is 1."""
    adam.first_step()


@number("13.2")
@weight(1)
@visibility("visible")
def test_adam_trajectory(adam):
    """adam takes the right steps, many in a row."""
    adam.trajectory()


@number("13.3")
@weight(1)
@visibility("visible")
def test_adam_state(adam):
    """adam keeps m, v and t in config, and goes on from there."""
    adam.state()


@number("13.4")
@weight(0.5)
@visibility("visible")
def test_adam_defaults(adam):
    """adam has the usual settings where no config is given, and computes the step itself."""
    adam.defaults()
    adam.traced()


@number("13.5")
@weight(0.5)
@visibility("visible")
def test_adam_careful(adam):
    """adam works in float32, takes epsilon from config, and leaves w and dw as they were."""
    adam.careful()
