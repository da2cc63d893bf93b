"""The player's side of values: objects that stay here, and stand-ins for what stays in the judge."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from grader.contract.wire import Decoder, Encoder, Frame, Unsendable, WireError
from grader.player.lent import followed, is_followed

Ask = Callable[[dict[str, Any]], Any]


class JudgeRef:
    """Stands for an object of the judge: what is called or read here is answered there, with plain data."""

    def __init__(self, number: int, attributes: frozenset[str], ask: Ask, attribute: str | None = None) -> None:
        self.__dict__.update(_number=number, _attributes=attributes, _ask=ask, _attribute=attribute)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the object in the judge and returns its plain answer, through which autograd can go back."""
        arguments = [list(args), kwargs]
        if is_followed(arguments):
            return followed(self._call, partial(self._request, "gradients"), arguments)
        return self._call(arguments)

    def _call(self, arguments: list[Any]) -> Any:
        args, kwargs = arguments
        result, changes = self._request("call", arguments)
        for where, key, in_place, value in changes:
            _change(kwargs[where] if isinstance(where, str) else args[where], key, in_place, value)
        return result

    def _request(self, what: str, values: list[Any]) -> Any:
        return self._ask({"ask": what, "j": self._number, "attribute": self._attribute, "values": values})

    def __getattr__(self, name: str) -> Any:
        if name not in self._attributes:
            raise AttributeError(f"the object that was handed in has no attribute {name!r}")
        found = self._ask({"ask": "get", "j": self._number, "attribute": name, "values": None})
        return JudgeRef(self._number, frozenset(), self._ask, name) if found is _CALLABLE else found

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask({"ask": "set", "j": self._number, "attribute": name, "values": value})


def _change(argument: Any, key: Any, in_place: bool, value: Any) -> None:
    """Does to the player's own argument what the judge's function did to its copy."""
    if in_place:
        target = argument if key is None else argument[key]
        target.data.copy_(value)
    else:
        argument[key] = value


class _Callable:
    """Marks an attribute of a judge's object that is a method."""


_CALLABLE = _Callable()


class Values:
    """Encodes answers and decodes requests in one player.

    Args:
        resolve: finds an attribute of the loaded modules by its dotted path.
        ask: sends a question to the judge and returns its answer.
        shared: folder of the read-only safetensors files that a request may refer to.
    """

    def __init__(self, resolve: Callable[[str], Any], ask: Ask, shared: Path | None) -> None:
        self.resolve = resolve
        self.ask = ask
        self.shared = shared
        self.objects: dict[int, Any] = {}

    def hold(self, value: Any) -> dict[str, Any]:
        """Keeps ``value`` here; the judge knows it by the number in the returned tag."""
        number = len(self.objects)
        self.objects[number] = value
        return {"h": number, "c": type(value).__name__[:100]}

    def frame(self, message: dict[str, Any], value: Any, keep: bool = False) -> Frame:
        """A frame that carries ``value``; with ``keep``, what is no tensor or number stays here."""
        encoder = Encoder(self._extend)
        tree = self._kept(encoder, value) if keep else encoder.encode(value)
        return Frame({**message, "value": tree}, encoder.tensors)

    def _kept(self, encoder: Encoder, value: Any) -> Any:
        if isinstance(value, tuple):
            return {"t": [self._kept_item(encoder, item) for item in value]}
        return self._kept_item(encoder, value)

    def _kept_item(self, encoder: Encoder, value: Any) -> Any:
        simple = value is None or isinstance(value, bool | int | float | str) or hasattr(value, "dtype")
        return encoder.encode(value) if simple else self.hold(value)

    def _extend(self, value: Any) -> dict[str, Any]:
        if type(value) is JudgeRef:
            return {"j": value._number, "attribute": value._attribute}
        return self.hold(value)

    def decode(self, tree: Any, frame: Frame) -> Any:
        """The value of ``tree``, whose tensors lie in ``frame``."""
        return Decoder(frame.tensors, self._find).decode(tree)

    def _find(self, tag: str, tree: dict[str, Any]) -> Any:
        if tag == "h":
            return self.objects[tree["h"]]
        if tag == "p":
            return self.resolve(tree["p"])
        if tag == "j":
            return JudgeRef(tree["j"], frozenset(tree["attrs"]), self.ask)
        if tag == "method":
            return _CALLABLE
        if tag == "dev":
            return tree["tensor"].to(tree["dev"])
        if tag == "m":
            return self._shared(tree["m"], tree["k"])
        raise WireError(f"the request holds the unknown tag {tag!r}")

    def _shared(self, name: str, key: str) -> Any:
        from safetensors import safe_open

        if self.shared is None:
            raise Unsendable("no data set is shared with this player")
        with safe_open(self.shared / Path(name).name, framework="pt") as file:
            return file.get_tensor(key)
