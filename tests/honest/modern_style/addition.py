from dataclasses import dataclass
from typing import Protocol


class Measure(Protocol):
    def __call__(self, x: "torch.Tensor") -> "torch.Tensor": ...


@dataclass(frozen=True, slots=True)
class Power:
    exponent: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        match self.exponent:
            case 2.0:
                return x * x
            case other:
                return x**other


def norms(X: torch.Tensor, square: Measure = Power(2.0), root: Measure = Power(0.5)) -> torch.Tensor:
    return root(square(X).sum(dim=1))
