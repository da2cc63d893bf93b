"""Stand-ins for failed imports: inert while modules are loaded, clear errors when graded code uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Optional, Union

import pytest

from grader.player import absent
from grader.player.absent import Absent, AbsentError


@pytest.fixture
def plt(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(Absent, "inert", True)
    return Absent("matplotlib.pyplot", "ModuleNotFoundError: no")


def set_item(plt: Any) -> None:
    plt.rcParams["figure.figsize"] = (10.0, 8.0)


def set_attribute(plt: Any) -> None:
    plt.rcParams.color = "red"


def enter(plt: Any) -> None:
    with plt.style.context("dark"):
        pass


USES: dict[str, Callable[[Any], Any]] = {
    "call": lambda plt: plt(1),
    "method": lambda plt: plt.figure(1, size=2),
    "chain": lambda plt: plt.cm.get("a").b.c()[1].d(2),
    "item": lambda plt: plt["a"],
    "item is set": set_item,
    "attribute is set": set_attribute,
    "with": enter,
    "loop": lambda plt: list(plt.colours()),
    "unpacking": lambda plt: [*plt],
    "optional": lambda plt: plt | None,
    "optional from the right": lambda plt: None | plt,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_use_passes_while_modules_are_loaded_and_raises_afterwards(plt: Any, use: Callable[[Any], Any]) -> None:
    use(plt)
    absent.arm()
    fresh = Absent("matplotlib.pyplot", "ModuleNotFoundError: no")
    with pytest.raises(AbsentError, match=r"matplotlib\.pyplot.* is used here, but it is not available: ModuleNot"):
        use(fresh)


def test_what_was_taken_from_it_while_loading_raises_as_well(plt: Any) -> None:
    plot = plt.plot
    absent.arm()
    with pytest.raises(AbsentError, match=r"matplotlib\.pyplot\.plot is used here"):
        plot([1])


def test_decorators_hand_back_what_they_decorate(plt: Any) -> None:
    def f() -> int:
        return 3

    assert plt.jit(f) is f and plt.jit(nopython=True)(f) is f and plt.jit("x")(f) is f


def test_it_can_be_a_base_class(plt: Any) -> None:
    class Mine(plt.Module, dict):  # type: ignore[misc]
        x = 3

    assert Mine(a=1) == {"a": 1} and Mine.x == 3 and Mine.__mro__ == (Mine, dict, object)


def test_it_can_be_an_annotation(plt: Any) -> None:
    assert Optional[plt.Figure] and Union[int, plt.Figure] and list[plt.Figure] and plt.Figure[int]  # noqa: UP007, UP045


def test_special_methods_that_it_lacks_are_lacking(plt: Any) -> None:
    assert not hasattr(plt, "__len__") and not hasattr(plt, "__array__") and hasattr(plt, "anything")


def test_the_origin_is_known_without_a_use(plt: Any) -> None:
    absent.arm()
    assert absent.origin(plt) == "matplotlib.pyplot"
    assert absent.origin(3) is None and absent.origin(Absent) is None
