"""Stand-ins for what a submission imports and this machine does not have.

Real files import an IDE's suggestions, plotting libraries and Colab's drive without using them in what is graded. Such
an import must not fail the module: the name is bound to an :class:`Absent`, which is inert while modules are loaded
(``plt.rcParams[...] = ...``, ``drive.mount(...)`` at module level pass) and raises :class:`AbsentError`, with a
sentence, when graded code uses it. What draws stays inert: nobody looks at a picture here, and a search that plots its
losses is as right as one that does not.
"""

from __future__ import annotations

from typing import Any

# Libraries whose calls show something and compute nothing.
_DRAWS = frozenset({"matplotlib", "pylab", "seaborn"})


class AbsentError(ImportError):
    """Raised when graded code uses something that could not be imported."""


class Absent:
    """A name that could not be imported.

    Args:
        origin: dotted path of what was asked for, such as ``"cv2.resize"``.
        reason: a sentence that says why it is not there.
    """

    inert = True  # while modules are loaded; cleared by `arm`

    def __init__(self, origin: str, reason: str) -> None:
        self.__dict__["_origin"] = origin
        self.__dict__["_reason"] = reason

    def _is_inert(self) -> bool:
        return Absent.inert or self._origin.partition(".")[0] in _DRAWS

    def _use(self) -> Absent:
        if self._is_inert():
            return self
        raise AbsentError(f"{self._origin} is used here, but it is not available: {self._reason}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        if self._is_inert():
            child = Absent(f"{self._origin}.{name}", self._reason)
            self.__dict__[name] = child
            return child
        return self._use()

    def __setattr__(self, name: str, value: Any) -> None:
        self._use()
        self.__dict__[name] = value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        used = self._use()
        if self._origin.endswith(".subplots"):
            return used, used  # fig, axes = plt.subplots(...)
        # As a decorator it hands back what it decorates, so that the function itself stays gradable.
        return args[0] if len(args) == 1 and not kwargs and callable(args[0]) else used

    def __getitem__(self, key: Any) -> Any:
        return self._use()

    def __setitem__(self, key: Any, value: Any) -> None:
        self._use()

    def __iter__(self) -> Any:
        self._use()
        return iter(())

    def __enter__(self) -> Any:
        return self._use()

    def __exit__(self, *_: object) -> None:
        self._use()

    def __or__(self, other: Any) -> Any:
        return self._use()

    __ror__ = __or__  # annotations: ``Thing | None``, evaluated where a function is defined

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return ()


def arm() -> None:
    """From now on, using an :class:`Absent` raises: the modules are loaded."""
    Absent.inert = False


def origin(value: object) -> str | None:
    """The dotted path that an :class:`Absent` stands for; ``None`` for anything else."""
    return str(value.__dict__["_origin"]) if type(value) is Absent else None
