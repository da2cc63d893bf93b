"""Stand-ins for failed imports: inert while modules are loaded, clear errors when graded code uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Optional, Union

import pytest

from grader.player import absent
from grader.player.absent import Absent, AbsentError


@pytest.fixture
def tf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(Absent, "inert", True)
    return Absent("tensorflow.keras", "ModuleNotFoundError: no")


def set_item(tf: Any) -> None:
    tf.rcParams["figure.figsize"] = (10.0, 8.0)


def set_attribute(tf: Any) -> None:
    tf.rcParams.color = "red"


def enter(tf: Any) -> None:
    with tf.style.context("dark"):
        pass


USES: dict[str, Callable[[Any], Any]] = {
    "call": lambda tf: tf(1),
    "method": lambda tf: tf.figure(1, size=2),
    "chain": lambda tf: tf.cm.get("a").b.c()[1].d(2),
    "item": lambda tf: tf["a"],
    "item is set": set_item,
    "attribute is set": set_attribute,
    "with": enter,
    "loop": lambda tf: list(tf.colours()),
    "unpacking": lambda tf: [*tf],
    "optional": lambda tf: tf | None,
    "optional from the right": lambda tf: None | tf,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_use_passes_while_modules_are_loaded_and_raises_afterwards(tf: Any, use: Callable[[Any], Any]) -> None:
    use(tf)
    absent.arm()
    fresh = Absent("tensorflow.keras", "ModuleNotFoundError: no")
    with pytest.raises(AbsentError, match=r"tensorflow\.keras.* is used here, but it is not available: ModuleNot"):
        use(fresh)


def test_what_was_taken_from_it_while_loading_raises_as_well(tf: Any) -> None:
    plot = tf.plot
    absent.arm()
    with pytest.raises(AbsentError, match=r"tensorflow\.keras\.plot is used here"):
        plot([1])


def test_decorators_hand_back_what_they_decorate(tf: Any) -> None:
    def f() -> int:
        return 3

    assert tf.jit(f) is f and tf.jit(nopython=True)(f) is f and tf.jit("x")(f) is f


def test_it_can_be_a_base_class(tf: Any) -> None:
    class Mine(tf.Module, dict):  # type: ignore[misc]
        x = 3

    assert Mine(a=1) == {"a": 1} and Mine.x == 3 and Mine.__mro__ == (Mine, dict, object)


def test_it_can_be_an_annotation(tf: Any) -> None:
    assert Optional[tf.Figure] and Union[int, tf.Figure] and list[tf.Figure] and tf.Figure[int]  # noqa: UP007, UP045


def test_special_methods_that_it_lacks_are_lacking(tf: Any) -> None:
    assert not hasattr(tf, "__len__") and not hasattr(tf, "__array__") and hasattr(tf, "anything")


def test_the_origin_is_known_without_a_use(tf: Any) -> None:
    absent.arm()
    assert absent.origin(tf) == "tensorflow.keras"
    assert absent.origin(3) is None and absent.origin(Absent) is None


def draw_all(plt: Any) -> None:
    fig, axes = plt.subplots(1, 2, figsize=(8, 4))
    axes[0].plot([1, 2], label="loss")
    axes[1].set_title("accuracy")
    fig.tight_layout()
    plt.rcParams["image.cmap"] = "gray"
    for line in plt.gca().lines:
        line.remove()
    plt.show()


@pytest.mark.parametrize("origin", ["matplotlib.pyplot", "matplotlib", "seaborn", "pylab"])
def test_drawing_passes_while_graded_code_runs(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setattr(Absent, "inert", False)
    draw_all(Absent(origin, "ModuleNotFoundError: no"))


def test_a_library_named_alike_does_not_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Absent, "inert", False)
    with pytest.raises(AbsentError):
        draw_all(Absent("matplotlib_of_mars.pyplot", "ModuleNotFoundError: no"))
