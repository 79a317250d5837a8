"""A Prometheus histogram of the server, watched over a window."""

from __future__ import annotations

import re

from benchmarks.link import Place
from benchmarks.servers import Running, fetch

_BUCKET = re.compile(r"^(?P<name>\w+)_bucket\{(?P<labels>[^}]*)\} (?P<value>\S+)$", re.MULTILINE)
_BOUND = re.compile(r'le="([^"]+)"')


def buckets(text: str, name: str) -> dict[float, float]:
    """Cumulative counts by upper bound, summed over all other labels."""
    found: dict[float, float] = {}
    for match in _BUCKET.finditer(text):
        bound = _BOUND.search(match["labels"])
        if match["name"] == name and bound:
            upper = float(bound[1])
            found[upper] = found.get(upper, 0.0) + float(match["value"])
    return found


def quantile(counts: dict[float, float], share: float) -> float | None:
    """The bound that ``share`` of the counted do not exceed, between two bounds by straight line."""
    total = counts.get(float("inf"), 0.0)
    if total <= 0:
        return None
    below, reached = 0.0, 0.0
    for bound in sorted(counts):
        if counts[bound] >= share * total:
            if bound == float("inf"):
                return below
            inside = counts[bound] - reached
            return below + (bound - below) * ((share * total - reached) / inside if inside else 1.0)
        below, reached = bound, counts[bound]
    return below


class Watch:
    """Reads the histogram at both ends of a window; servers without it yield nothing."""

    def __init__(self, place: Place, server: Running, name: str) -> None:
        self._place, self._server, self._name = place, server, name
        self._seen: dict[str, dict[float, float]] = {}
        # Metrics are for operators; away from loopback that takes their token.
        self._token = None if server.data is None else server.token("operator", room="*")

    def note(self, event: str) -> None:
        """Remembers the counts at ``start`` or ``end``."""
        if self._server.data is not None:
            text = fetch(self._place, self._server.url + "/metrics", self._token) or ""
            self._seen[event] = buckets(text, self._name)

    def count(self) -> float:
        """How many were counted within the window."""
        bound = float("inf")
        return self._seen.get("end", {}).get(bound, 0.0) - self._seen.get("start", {}).get(bound, 0.0)

    def quantiles_ms(self) -> dict[str, float | None]:
        """p50 and p99 of what was counted within the window, in milliseconds."""
        start, end = self._seen.get("start", {}), self._seen.get("end", {})
        within = {bound: count - start.get(bound, 0.0) for bound, count in end.items()}
        found = {"p50": quantile(within, 0.5), "p99": quantile(within, 0.99)}
        return {name: None if value is None else round(value * 1e3, 4) for name, value in found.items()}
