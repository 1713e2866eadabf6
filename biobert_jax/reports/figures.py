"""Figures as SVG and PNG; series differ in marker and dash, so that they can be read in greyscale.

Needs matplotlib, which is an extra: pip install biobert_jax[report].
"""

import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from biobert_jax.errors import UserError
from biobert_jax.reports.render import plain
from biobert_jax.reports.series import Line

# From dark to light, so that neighbours differ in print, too.
_COLOURS = ("#000000", "#c1272d", "#0b6fb8", "#5a9e3d", "#e08a00", "#8c8c8c")
_MARKERS = ("o", "s", "^", "D", "v", "X")
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
MAX_LINES = len(_COLOURS)


class Figure(NamedTuple):
    """A drawn figure.

    Attributes:
      name: of its files.
      caption: one or two sentences.
      svg: to write into a page; its ids begin with its name.
      png: bytes.
    """

    name: str
    caption: str
    svg: str
    png: bytes


def require_matplotlib() -> Any:
    """Returns matplotlib's Figure.

    Raises:
      UserError: it is not installed.
    """
    try:
        from matplotlib.figure import Figure as Drawing
    except ImportError as error:
        raise UserError(
            "figures need matplotlib, which is not installed. Install it with `pip install "
            '"biobert_jax[report]"`, or give --no-figures'
        ) from error
    return Drawing


def lines_figure(
    name: str,
    caption: str,
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    logarithmic: bool = False,
    connect: bool = True,
) -> Figure:
    """A figure of lines, or of points alone, with error bars.

    Args:
      name, caption: of the figure.
      lines: at most MAX_LINES are drawn; the caption says so where there are more.
      x_label, y_label: of the axes.
      logarithmic: the x axis.
      connect: the points of each line.
    """
    with _style():
        drawing, (axes,) = _panels(1, (6.4, 4.2))
        for i, line in enumerate(lines[:MAX_LINES]):
            errors = [
                [y - low for y, low in zip(line.y, line.low, strict=True)],
                [high - y for y, high in zip(line.y, line.high, strict=True)],
            ]
            axes.errorbar(
                *(line.x, line.y),
                yerr=None if line.low == line.y == line.high else errors,
                label=plain(line.label),
                color=_COLOURS[i],
                marker=_MARKERS[i],
                linestyle=_DASHES[i] if connect else "none",
                fillstyle="full" if i % 2 == 0 else "none",
                capsize=3,
            )
        if logarithmic:
            axes.set_xscale("log", subs=())
            axes.set_xticks(_thirds([x for line in lines for x in line.x]))
            axes.xaxis.set_minor_formatter(lambda x, _: "")  # its own is a formula
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}" if x < 1e6 else f"{x / 1e6:,g} M")
        if not connect:
            axes.axhline(0, color="#8c8c8c", linewidth=0.8)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        _legend(drawing, axes)
        _name_points(drawing, axes, lines[:MAX_LINES])
        return _finished(name, caption + _cut(len(lines)), drawing)


def curves_figure(
    name: str,
    caption: str,
    panels: Sequence[tuple[str, Sequence[tuple[str, Sequence[tuple[list, list]]]]]],
) -> Figure:
    """A figure of several panels over steps.

    Args:
      name, caption: of the figure.
      panels: for each its title and, for each system, a label and the curves of its seeds.
    """
    with _style():
        rows = (len(panels) + 1) // 2
        drawing, all_axes = _panels(len(panels), (7.6, 2.6 * rows))
        systems = 0
        for axes, (title, lines) in zip(all_axes, panels, strict=False):
            systems = max(systems, len(lines))
            for i, (label, seeds) in enumerate(lines[:MAX_LINES]):
                for number, (x, y) in enumerate(seeds):
                    axes.plot(
                        *(x, y),
                        label=None if number else plain(label),
                        color=_COLOURS[i],
                        linestyle=_DASHES[i],
                        marker=_MARKERS[i] if len(x) == 1 else None,
                        linewidth=1.0,
                    )
            axes.set_title(title)
            axes.set_xlabel("step")
        _legend(drawing, all_axes[0])
        return _finished(name, caption + _cut(systems), drawing)


def _style():
    import matplotlib

    return matplotlib.rc_context(
        {
            "text.parse_math": False,  # a dollar sign in a name is no formula
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.size": 9,
            "axes.titlesize": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#e3e3e3",
            "lines.markersize": 5,
            "legend.frameon": False,
        }
    )


def _panels(count: int, size: tuple[float, float]):
    drawing = require_matplotlib()(figsize=size, layout="constrained")
    columns = min(2, count)
    rows = (count + columns - 1) // columns
    axes = drawing.subplots(rows, columns, squeeze=False).ravel()
    for unused in axes[count:]:
        unused.set_visible(False)
    return drawing, list(axes[:count])


def _thirds(values: Sequence[float]) -> list[float]:
    """1, 3, 10, 30, ... around the values."""
    low, high = min(values) / 1.2, max(values) * 1.2
    ticks = [factor * 10**power for power in range(16) for factor in (1, 3)]
    return [tick for tick in ticks if low <= tick <= high]


def _name_points(drawing, axes, lines: Sequence[Line]) -> None:
    """Writes the points' names where they cover neither points nor each other, or not at all."""
    drawing.draw_without_rendering()
    points = [(x, y) for line in lines for x, y in zip(line.x, line.y, strict=True)]
    taken = [_box(axes.transData.transform(point), (-3, -3), 6, 6) for point in points]
    frame = axes.get_window_extent()
    scale = drawing.dpi / 72
    for line in lines:
        for x, y, text in zip(line.x, line.y, line.names, strict=False):
            width, height = 4.0 * len(text) * scale, 8 * scale
            for dx, dy in ((5, 2), (5, -9), (-5, 2), (-5, -9), (5, 9), (5, -16), (-5, 9)):
                left = dx * scale - (width if dx < 0 else 0)
                place = _box(axes.transData.transform((x, y)), (left, dy * scale), width, height)
                inside = frame.x0 <= place[0] and place[2] <= frame.x1
                if text and inside and not any(_meet(place, other) for other in taken):
                    taken.append(place)
                    axes.annotate(
                        *(plain(text), (x, y)),
                        xytext=(dx, dy),
                        textcoords="offset points",
                        ha="right" if dx < 0 else "left",
                        fontsize=7,
                    )
                    break


def _box(at, offset, width: float, height: float) -> tuple[float, float, float, float]:
    x, y = at[0] + offset[0], at[1] + offset[1]
    return x, y, x + width, y + height


def _meet(a, b) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _legend(drawing, axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        short = [text if len(text) <= 80 else f"{text[:79]}…" for text in labels]
        columns = 2 if len(labels) > 1 and max(map(len, short)) <= 36 else 1
        drawing.legend(handles, short, loc="outside lower center", ncols=columns)


def _cut(lines: int) -> str:
    return f" {MAX_LINES} of {lines} are drawn." if lines > MAX_LINES else ""


def _finished(name: str, caption: str, drawing) -> Figure:
    import matplotlib

    svg, png = io.StringIO(), io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        drawing.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    drawing.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return Figure(name, caption, _inline(svg.getvalue(), name), png.getvalue())


def _inline(svg: str, name: str) -> str:
    """Without the prologue, and with ids that no other figure of the page has."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'((?:xlink:)?href=")#', rf"\g<1>#{name}-", svg)
    return re.sub(r"url\(#", f"url(#{name}-", svg)
