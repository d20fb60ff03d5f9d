"""The nearest known name to a misspelt one, scored as PostgREST's hints are.

Candidates that share enough n-grams with the wanted name are ranked by edit distance.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

LEAST_FOR_NAMES = 0.75
"""The score that a table or function must have to be suggested."""

_RANKED = 50


def nearest(wanted: str, names: Iterable[str], least: float = 0.33) -> str | None:
    """The best match for a name, or None if none is near.

    Args:
        wanted: the unknown name.
        names: the known ones.
        least: the lowest score that counts, between 0 and 1.
    """
    target = wanted.lower()
    known = {name.lower(): name for name in names}
    if target in known:
        return known[target]
    for size in (3, 2):
        similar = sorted(((_cosine(target, name, size), name) for name in known), reverse=True)
        ranked = ((_closeness(target, name), name) for score, name in similar[:_RANKED] if score)
        closeness, name = max(ranked, default=(0.0, ""))
        if closeness >= least:
            return known[name]
    return None


def _grams(text: str, size: int) -> Counter[str]:
    padded = f"-{re.sub(r'[^a-zA-Z0-9À-ÿ, ]+', '', text)}-"
    return Counter(padded[i : i + size] for i in range(len(padded) - size + 1))


def _cosine(one: str, other: str, size: int) -> float:
    a, b = _grams(one, size), _grams(other, size)
    norms = math.sqrt(sum(n * n for n in a.values()) * sum(n * n for n in b.values()))
    return sum(n * b[gram] for gram, n in a.items()) / norms if norms else 0.0


def _closeness(one: str, other: str) -> float:
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (left != right))
    return 1 - row[-1] / max(len(one), len(other), 1)
