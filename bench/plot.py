"""Groups of bars as an SVG that reads on white and on black paper: a color a series, a number on each bar."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, TOP, LEFT, GAP = 640, 220, 34, 20, 28
COLOURS = ("#9cc5a1", "#49a078", "#216869")
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1d2b2a}.title{font-weight:600;font-size:14px}.value{font-size:9px}"
    "@media(prefers-color-scheme:dark){text{fill:#e6efec}}"
)


@dataclass(frozen=True)
class Panel:
    """One plot: what stands on its lower edge, and the bars of each series."""

    title: str
    names: Sequence[str]
    series: Mapping[str, Sequence[float]]


def drawn(title: str, panels: Sequence[Panel]) -> str:
    """The panels below each other, under one legend."""
    height = TOP + 24 + len(panels) * (HEIGHT + GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="20">{escape(title)}</text>',
        *_legend(list(panels[0].series)),
    ]
    for number, panel in enumerate(panels):
        lines += _panel(panel, TOP + 24 + number * (HEIGHT + GAP))
    return "\n".join([*lines, "</svg>", ""])


def _legend(names: Sequence[str]) -> Iterator[str]:
    for number, name in enumerate(names):
        x = LEFT + number * 150
        yield f'<rect x="{x}" y="{TOP - 4}" width="10" height="10" fill="{COLOURS[number]}"/>'
        yield f'<text x="{x + 15}" y="{TOP + 5}">{escape(name)}</text>'


def _panel(panel: Panel, top: float) -> Iterator[str]:
    floor, room = top + HEIGHT - 40, HEIGHT - 70
    most = max(value for values in panel.series.values() for value in values)
    group = (WIDTH - 2 * LEFT) / len(panel.names)
    bar = group * 0.8 / len(panel.series)
    yield f'<text class="title" x="{LEFT}" y="{top + 12}">{escape(panel.title)}</text>'
    for place, name in enumerate(panel.names):
        left = LEFT + place * group
        for number, values in enumerate(panel.series.values()):
            x, high = left + number * bar, room * values[place] / most
            size = f'width="{bar - 2:.1f}" height="{high:.1f}"'
            yield f'<rect x="{x:.1f}" y="{floor - high:.1f}" {size} fill="{COLOURS[number]}"/>'
            middle = f'x="{x + bar / 2 - 1:.1f}" y="{floor - high - 4:.1f}" text-anchor="middle"'
            yield f'<text class="value" {middle}>{values[place]:.0f}</text>'
        for line, words in enumerate(name.split("\n")):
            yield f'<text x="{left:.1f}" y="{floor + 15 + 14 * line:.1f}">{escape(words)}</text>'
