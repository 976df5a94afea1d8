"""Figures in words: dollars, counts, and the bounds that they should keep."""

from __future__ import annotations

from openclaw.usage.metrics import Figure


def dollars(value: float) -> str:
    """`$16.54`, `-$3.21`; hundredths of a cent where there is less than ten cents."""
    places = 4 if 0 < abs(value) < 0.1 else 2
    return f"{'-' if value < 0 else ''}${abs(value):,.{places}f}"


def short(count: float) -> str:
    """`950`, `12.3k`, `4.5M`."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.3g}"


def percent(amount: float, of: float) -> str:
    """`97.3 %`; a dash of nothing."""
    return f"{100 * amount / of:.1f} %" if of else "–"


def amount(value: float | None, unit: str) -> str:
    """A figure's value; a dash where nothing is known."""
    if value is None:
        return "–"
    if unit == "$":
        return dollars(value)
    number = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"
    return f"{number} %" if unit == "%" else number


def bound(figure: Figure) -> str:
    """`≤ 300`; empty where it has no bound."""
    if figure.limit is None:
        return ""
    return f"{'≥' if figure.least else '≤'} {amount(figure.limit, figure.unit)}"
