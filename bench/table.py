"""What a bench hands back: rows of a table, and the rounds and medians behind them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

HEAD = ("What", "Rounds", "Yardstick", "Ratio", "Goal", "Met")


@dataclass(frozen=True)
class Row:
    """One measured thing beside its yardstick; `met` is None where there is no goal."""

    what: str
    ours: str
    yardstick: str
    ratio: float | None
    goal: str
    met: bool | None


def in_turn(
    rounds: int, ours: Callable[[], float], yardstick: Callable[[], float]
) -> tuple[Sequence[float], Sequence[float]]:
    """Measure both so often, one after the other in each round, so that a slow minute of the machine hits both."""
    pairs = [(ours(), yardstick()) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def ratio_of(pairs: tuple[Sequence[float], Sequence[float]]) -> float:
    """The median of the rounds' own ratios, first over second."""
    return median(ours / yardstick for ours, yardstick in zip(*pairs, strict=True))


def in_ms(seconds: float) -> str:
    """Seconds as `12.3 ms`."""
    return f"{seconds * 1000:.1f} ms"


def as_markdown(rows: Sequence[Row]) -> str:
    """The table, in columns that line up in a terminal too."""
    lines = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    written = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    written.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(written)


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    met = {None: "", True: "yes", False: "NO"}[row.met]
    return row.what, row.ours, row.yardstick, ratio, row.goal, met
