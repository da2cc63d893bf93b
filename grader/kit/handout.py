"""The handout of an assignment: tasks, points, rules and bars, from what grades them; as Markdown or as a page.

A course may add an introduction and formulas in ``assignments/NAME/handout.md.j2``, which extends ours and fills its
blocks. Formulas stand between dollar signs; on the page they are MathML, which browsers draw without any script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined, TemplateError
from markupsafe import Markup

from grader.contract.assignment import HANDOUT, Assignment
from grader.exits import UsageError
from grader.kit.page import render
from grader.kit.tasks import tasks_of

if TYPE_CHECKING:
    from markdown_it.rules_core import StateCore

_MANY = 12
"""More names than these are listed module by module."""

TITLES = {"cifar10": "CIFAR-10", "shapes10": "shapes10", "flickr8k": "Flickr8k", "scenes": "scenes"}


class HandoutError(UsageError):
    """The course's own part of the handout cannot be used; says where and why."""


def markdown(assignment: Assignment) -> str:
    """The handout as Markdown. Raises :class:`HandoutError` where the course's template of it is not usable."""
    own = (assignment.folder / HANDOUT).is_file()
    loaders = [FileSystemLoader(assignment.folder), PackageLoader("grader.kit", "files")]
    environment = _environment(ChoiceLoader(loaders))
    try:
        return environment.get_template(HANDOUT if own else "base.md.j2").render(
            assignment=assignment.content, tasks=tasks_of(assignment), titles=TITLES
        )
    except TemplateError as error:
        raise HandoutError(f"{assignment.folder / HANDOUT}: {error}. Correct the line that it names.") from error


def readme(assignment: Assignment) -> str:
    """The README of a student's folder."""
    template = _environment(PackageLoader("grader.kit", "files")).get_template("README.md.j2")
    notebooks = any(assignment.template.glob("*.ipynb"))
    return template.render(assignment=assignment.content, tasks=tasks_of(assignment), notebooks=notebooks)


def html(assignment: Assignment) -> str:
    """The handout as a page of its own that loads nothing. Raises :class:`HandoutError`."""
    return page(markdown(assignment), f"{assignment.name.upper()}: {assignment.content.title}")


def page(text: str, title: str) -> str:
    """``text``, Markdown with formulas, as a page. Markup in it is shown, and not obeyed."""
    from latex2mathml.converter import convert
    from markdown_it import MarkdownIt
    from mdit_py_plugins.anchors import anchors_plugin
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.use(anchors_plugin, max_level=3)
    parser.core.ruler.push("alignment", _aligned_by_class)
    parser.use(dollarmath_plugin, allow_space=False, renderer=lambda tex, how: convert(tex, display=_display(how)))
    body = Markup(parser.render(text))  # noqa: S704 - the parser escapes markup
    return render("handout.html.j2", ("handout.css",), title=title, body=body)


def _aligned_by_class(state: StateCore) -> None:
    """The page's policy allows no style but its own sheet: columns of numbers get a class in the place of one."""
    for token in state.tokens:
        if token.attrs.pop("style", "") == "text-align:right":
            token.attrSet("class", "n")


def _display(how: dict[str, bool]) -> str:
    return "block" if how["display_mode"] else "inline"


def _environment(loader: ChoiceLoader | PackageLoader) -> Environment:
    """For Markdown, in which nothing is escaped: what is filled in comes from the course."""
    environment = Environment(  # noqa: S701 - the Markdown is escaped when it becomes a page
        loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["points"] = lambda value: f"{value:g}"
    environment.filters["plain"] = plain
    environment.filters["moment"] = moment
    environment.filters["by_module"] = by_module
    environment.globals["many"] = _MANY
    return environment


def by_module(names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Dotted names, sorted: each module with what it holds of them."""
    split = sorted(name.rpartition(".")[::2] for name in names)
    return [(module, [name for _, name in each]) for module, each in groupby(split, itemgetter(0))]


def moment(when: datetime) -> str:
    """``when`` as people write it, with its offset from UTC: what students read is the same wherever they are."""
    return f"{when:%A}, {when.day} {when:%B %Y}, {when:%H:%M} ({when.tzname()})"


def plain(text: str) -> str:
    """``text`` such that Markdown shows it as it stands, but for what stands between backticks."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([\\*_$<\[\]|])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)
