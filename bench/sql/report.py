"""Markdown tables of medians."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table whose first column is text and whose others are figures."""
    print(f"| {' | '.join(heads)} |")
    print(f"| --- |{' ---: |' * (len(heads) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
    print()


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median with the least and the greatest."""
    shown = (statistics.median(values), min(values), max(values))
    middle, least, most = (f"{value:,.{digits}f}" for value in shown)
    return f"{middle} ({least} to {most})"


def percentiles(seconds: Sequence[float]) -> str:
    """p50, p95 and p99 in milliseconds."""
    if len(seconds) < 2:
        return "none"
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return " / ".join(f"{cuts[at] * 1000:.2f}" for at in (49, 94, 98))
