"""Pages of the kit: templates in ``files/`` with style sheets beside them, under the policy of all our pages."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from grader.pages.html import policy

_FILES = PackageLoader("grader.kit", "files")


def render(template: str, sheets: tuple[str, ...], **values: Any) -> str:
    """The page of a template, which loads nothing; it gets ``style`` and ``policy`` besides ``values``."""
    style = _text_of(sheets)
    environment = Environment(
        loader=_FILES, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template).render(
        policy=policy(style),
        style=Markup(style),  # noqa: S704 - files of ours
        **values,
    )


@cache
def _text_of(sheets: tuple[str, ...]) -> str:
    return "\n".join(_FILES.get_source(Environment(), name)[0] for name in sheets)  # noqa: S701 - read, and not rendered
