"""Charts as SVG pictures in the colours of a light and of a dark page. Needs matplotlib.

Each is a picture of its own, which a page shows as an image: the style sheet that a policy allows need not know it.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grader.kit.figures import Chart, Line

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Theme:
    """The colours of a page: of texts, of axes, and of lines by number."""

    ink: str
    soft: str
    grid: str
    lines: tuple[str, ...]


# Lines are apart for people who do not tell red from green, too: blue, orange, violet.
LIGHT = Theme("#1c1e21", "#5d6673", "#e3e6ea", ("#0b57d0", "#c2570c", "#7b3fb5"))
DARK = Theme("#e4e7eb", "#9aa4b2", "#2c3239", ("#8ab4f8", "#f5a35c", "#c9a2f5"))

_INCHES = (7.0, 3.1)


def address(chart: Chart, theme: Theme) -> str:
    """The chart as the source of an ``img``: an SVG in base64, the same for the same numbers."""
    import matplotlib
    from matplotlib.figure import Figure

    content = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "scratchgrade", "font.size": 10.5}):
        figure = Figure(figsize=_INCHES, layout="constrained")
        _draw(figure.subplots(), chart, theme)
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"


def _draw(axes: Axes, chart: Chart, theme: Theme) -> None:
    for line in chart.lines:
        _draw_line(axes, line, theme)
    if chart.log_x:
        ticks = sorted({x for line in chart.lines for x in line.x})
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
        axes.set_xticks([], minor=True)
    axes.set_xlabel(chart.x_label, color=theme.ink)
    axes.set_ylabel(chart.y_label, color=theme.ink)
    axes.tick_params(colors=theme.soft, labelcolor=theme.ink)
    axes.grid(color=theme.grid)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_color(theme.soft)
        spine.set_visible(side in ("left", "bottom"))
    if any(line.name for line in chart.lines):
        axes.legend(frameon=False, labelcolor=theme.ink)


def _draw_line(axes: Axes, line: Line, theme: Theme) -> None:
    colour = theme.lines[line.colour % len(theme.lines)]
    label = line.name or None
    if line.style == "dots":
        axes.plot(line.x, line.y, ".", color=colour, alpha=0.45, label=label)
        return
    marker = "o" if len(line.x) <= 12 else None
    axes.plot(
        line.x, line.y, color=colour, ls="--" if line.style == "dashed" else "-", marker=marker, ms=4, label=label
    )
