"""A page that shows a ``results.json`` as the student sees it, and as staff do. It needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from grader.gradescope.simulation.views import of_staff, of_student


def page(results: Mapping[str, Any], stdout: str, title: str) -> str:
    """The page as HTML. Nothing in a text acts, whatever format it claims: of HTML, its words and PNG images are shown.

    Args:
        results: content of a ``results.json``, sound or not.
        stdout: what was printed.
        title: of the page.
    """
    environment = Environment(
        loader=PackageLoader(__package__, "files"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    views = [of_student(results, stdout), of_staff(results, stdout)]
    return environment.get_template("preview.html.j2").render(title=title, views=views)
