"""A hook of mkdocs: pages of reference that are made from the code, and formulas as MathML, drawn without a script."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import html
import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from grader import cli
from grader.contract import assignment, gradescope
from grader.contract.report import json_schema
from grader.judge import compare, draw, fixtures, gradients, student

FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$(?=\S)([^$\n]+?)(?<=\S)\$(?![\w$])", re.S)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Pages of how-tos that a checkout has beside those that are always there."""
    if config.nav and Path(config.docs_dir, "cluster.md").is_file():
        (how_to,) = (part["How to"] for part in config.nav if "How to" in part)
        if not any("cluster.md" in entry.values() for entry in how_to):
            how_to.insert(4, {"Grade on a cluster": "cluster.md"})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages that are made from the code."""
    made = {
        "reference/commands.md": commands(),
        "reference/assignment_toml.md": assignment_toml(),
        "reference/fixtures.md": what_checks_ask(),
        "reference/report.md": report(),
    }
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Formulas between dollar signs become MathML, but for those in code."""
    parts, at = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [_with_formulas(markdown[at : fence.start()]), fence[0]]
        at = fence.end()
    return "".join([*parts, _with_formulas(markdown[at:])])


def _with_formulas(text: str) -> str:
    pieces = re.split(r"(`[^`\n]*`)", text)
    pieces[::2] = [FORMULA.sub(_formula, piece) for piece in pieces[::2]]
    return "".join(pieces)


def _formula(match: re.Match[str]) -> str:
    if match[1]:
        return f"<div>{convert(match[1].strip(), display='block')}</div>"
    return f"<span>{convert(match[2])}</span>"  # a formula at the start of a line would be a paragraph of its own


# ---------------------------------------------------------------------------------------------- commands


def commands() -> str:
    """A section for each command, with what its ``--help`` says."""
    os.environ["COLUMNS"] = "96"
    os.environ["NO_COLOR"] = "1"
    parser = cli._parser()
    lines = ["# Commands", "", "Made from the code: what each command says with `--help`.", ""]
    for name, command in _subcommands(parser):
        lines += [f"## grader {name}", "", "```text", command.format_help().rstrip(), "```", ""]
    return "\n".join(lines)


def _subcommands(parser: argparse.ArgumentParser, prefix: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield f"{prefix}{name}", command
                yield from _subcommands(command, f"{prefix}{name} ")


# ---------------------------------------------------------------------------------------------- assignment.toml


def assignment_toml() -> str:
    """A table for each table of ``assignment.toml``, from the classes that read it."""
    tables = [
        ("At the top", assignment.Content),
        ("[modules.NAME]", assignment.ModuleSpec),
        ("[limits]", assignment.Limits),
        ("[rules], [modules.NAME.rules], [questions.rules]", assignment.Rules),
        ("[[questions]]", assignment.Question),
        ("[questions.goals.DATA]", assignment.Goal),
        ("[gradescope]", gradescope.Gradescope),
        ("[[gradescope.feedback]]", gradescope.Feedback),
    ]
    lines = ["# assignment.toml", "", "Made from the code. A key that is not listed is refused, with its name.", ""]
    for title, kind in tables:
        lines += [f"## `{title}`", "", _first(kind), "", "| key | default | meaning |", "|---|---|---|"]
        told = _attributes(kind)
        for field in dataclasses.fields(kind):
            lines.append(f"| `{field.name}` | {_default(field)} | {_cell(told.get(field.name, ''))} |")
        lines.append("")
    return "\n".join(lines)


def _first(kind: type) -> str:
    return " ".join(inspect.getdoc(kind).split("\n\n")[0].split()).replace("``", "`")


def _attributes(kind: type) -> dict[str, str]:
    """The section ``Attributes:`` of a docstring."""
    section = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    name = ""
    for line in section.split("\n"):
        if start := re.match(r" {4}([\w, ]+): (.*)", line):
            name = start[1]
            found[name] = start[2]
        elif name and line.startswith("        "):
            found[name] += f" {line.strip()}"
    return {each.strip(): text for names, text in found.items() for each in names.split(",")}


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "required" if field.default_factory is dataclasses.MISSING else ""
    if dataclasses.is_dataclass(field.default):
        return ""
    shown = str(field.default).lower() if isinstance(field.default, bool) else repr(field.default)
    return f"`{shown}`" if field.default not in ((), "", None) else ""


# ---------------------------------------------------------------------------------------------- fixtures


def what_checks_ask() -> str:
    """The fixtures of checks, and the methods of what they give."""
    lines = [
        "# What a check can ask for",
        "",
        "Made from the code. A check is a pytest test; it names these fixtures.",
        "",
    ]
    lines += ["| fixture | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(told)} |" for name, told in _fixtures()]
    for title, kind in (
        ("expect(got, names)", compare.Expectation),
        ("gradients", gradients.Gradients),
        ("draw", draw.Draw),
        ("student", student.Student),
    ):
        lines += ["", f"## `{title}`", "", _first(kind), ""]
        for name, method in vars(kind).items():
            if not name.startswith("_") and inspect.isfunction(method) and inspect.getdoc(method):
                lines += [f"### {name}", "", "```python", f"{name}{_signature(method)}", "```", ""]
                lines += [_paragraphs(method), ""]
    return "\n".join(lines)


def _fixtures() -> Iterator[tuple[str, str]]:
    (owner,) = (node for node in ast.parse(inspect.getsource(fixtures.Fixtures)).body)
    for node in owner.body:
        decorators = [ast.unparse(each) for each in getattr(node, "decorator_list", [])]
        if "pytest.fixture" in decorators:
            yield node.name, " ".join(ast.get_docstring(node).split())


def _signature(method: Any) -> str:
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return str(inspect.Signature(parameters)).replace("'", "")


def _paragraphs(method: Any) -> str:
    """The docstring up to its first section."""
    text = re.split(r"\n(?:Args|Raises|Returns):\n", inspect.getdoc(method) or "")[0]
    return _plain(text.strip())


# ---------------------------------------------------------------------------------------------- report


def report() -> str:
    """The parts of ``report.json``, from its schema."""
    schema = json_schema()
    lines = [
        "# Report",
        "",
        "Made from the code. `report.json` holds everything that is known about a graded submission; pages, tables and "
        "Gradescope's file are made from it. Its [JSON Schema](../report.schema.json) is part of the repository.",
        "",
    ]
    for name, part in {"Report": schema, **schema.get("$defs", {})}.items():
        lines += [f"## {name}", "", _plain(part.get("description", "").split("\n\n")[0]), ""]
        if "enum" in part:
            lines += [", ".join(f"`{value}`" for value in part["enum"]), ""]
        if "properties" in part:
            lines += ["| field | type |", "|---|---|"]
            lines += [f"| `{key}` | {_cell(_type(value))} |" for key, value in part["properties"].items()]
            lines.append("")
    return "\n".join(lines)


def _type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if "anyOf" in value:
        return " or ".join(map(_type, value["anyOf"]))
    if "const" in value:
        return repr(value["const"])
    inner = value.get("items") or value.get("additionalProperties")
    return f"{value.get('type', 'any')} of {_type(inner)}" if isinstance(inner, dict) else str(value.get("type", "any"))


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Text of a docstring as Markdown: code stays code, names of roles go."""
    text = re.sub(r":\w+:`~?\.?([^`]+)`", r"`\1`", text.replace("``", "`"))
    parts = text.split("`")
    parts[::2] = [html.escape(part, quote=False).replace("*", "\\*") for part in parts[::2]]
    return "`".join(parts)
