"""One fault: what goes wrong, where, and from when to when."""

from __future__ import annotations

from dataclasses import dataclass

from harness.emulator.faults.kinds import GROUPS, Kind
from harness.units import FOREVER_NS, format_duration


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in [start, end) since the first write in any Region, or since it was asked for.

    `regions` is empty for every Region, `link` None for every link, `operations` empty for those of its kind;
    `share` is that of the requests (writes, keys) it strikes, `after` says that the operation takes effect all the
    same. `text` is the fault as it was written.
    """

    text: str
    kind: Kind
    start_ns: int
    end_ns: int
    regions: tuple[str, ...] = ()
    link: tuple[str, str] | None = None
    operations: tuple[str, ...] = ()
    share: float = 1.0
    time_ns: int = 0
    after: bool = False

    def concerns(self, region: str) -> bool:
        """Does it strike in this Region?"""
        return not self.regions or region in self.regions

    def concerns_link(self, link: tuple[str, str]) -> bool:
        """Does it strike what goes from the first Region to the second?"""
        if self.kind.name == "partition":
            return bool(set(self.regions) & set(link))
        return self.link in (None, link)

    def affected(self) -> frozenset[str]:
        """The operations it strikes."""
        if not self.operations:
            return self.kind.operations
        return frozenset().union(*(GROUPS.get(name, frozenset({name})) for name in self.operations))

    def describe(self, since: str = "after the first write") -> str:
        """The fault in words; `since` is what its window counts from."""
        words = self.kind.words.format(what=self._what(), time=format_duration(self.time_ns))
        performed = ", having performed them," if self.after else ""
        return f"{self._where()} {words}{performed} {self._span(since)}"

    def _what(self) -> str:
        share = "" if self.share == 1.0 else f"{100 * self.share:.3g} % of "
        return share + (self.kind.what.format(" and ".join(self.operations) or "requests"))

    def _where(self) -> str:
        if "link" in self.kind.takes:
            return "every link" if self.link is None else " → ".join(self.link)
        named = " and ".join(self.regions) or "every Region"
        return f"each of {named}" if len(self.regions) > 1 else named

    def _span(self, since: str) -> str:
        start = f"from {format_duration(self.start_ns)}"
        if self.end_ns == FOREVER_NS:
            return f"{start} {since} on"
        return f"{start} to {format_duration(self.end_ns)} {since}"
