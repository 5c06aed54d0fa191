"""Versions of one item, and which of them a read sees.

Nothing is replicated by an act: each version carries, from its commit on, the instant it becomes visible at every
replica. A read at an instant returns, among the versions visible there by then, the last writer's. Commits happen
in order of their instants, so a later place in the list is a later writer.
"""

from __future__ import annotations

from harness.emulator.items import Item

NEVER = 1 << 62
"""The arrival of a version whose link is paused."""
LOST = NEVER + 1
"""The arrival of a version that nothing will ever bring there; later ones do not wait for it."""


class Version:
    """One write of one item: `item` is None for a deletion, `size` its bytes.

    `visible_ns` maps replica numbers to instants. A replica without an entry joined after the commit and holds the
    version from its first instant on. `settled_ns` is the last of the instants.
    """

    __slots__ = ("commit_ns", "item", "origin", "sequence", "settled_ns", "size", "visible_ns")

    def __init__(self, item: Item | None, size: int, commit_ns: int, sequence: int, origin: int) -> None:
        self.item = item
        self.size = size
        self.commit_ns = commit_ns
        self.sequence = sequence
        self.origin = origin
        self.visible_ns = {origin: commit_ns}
        self.settled_ns = commit_ns

    def arrive(self, replica: int, instant_ns: int) -> None:
        """Make the version visible at `replica` from `instant_ns` on, in place of any earlier decision."""
        self.visible_ns[replica] = instant_ns
        self.settled_ns = max(self.visible_ns.values())


class ItemHistory:
    """The versions of one item that a read may still return, in order of their commits.

    `scheduled` says that its store will look at it again.
    """

    __slots__ = ("scheduled", "versions")

    def __init__(self) -> None:
        self.versions: list[Version] = []
        self.scheduled = False

    def read(self, replica: int, as_of_ns: int) -> Version | None:
        """The last writer's version among those visible at `replica`; None where there is none."""
        for version in reversed(self.versions):
            if version.visible_ns.get(replica, 0) <= as_of_ns:
                return version
        return None

    def floor_ns(self, origin: int, replica: int) -> int:
        """The earliest arrival at `replica` that keeps versions from `origin` in order."""
        for version in reversed(self.versions):
            if version.origin == origin:
                arrival_ns = version.visible_ns.get(replica, 0)
                if arrival_ns != LOST:
                    return arrival_ns
        return 0

    def prune(self, horizon_ns: int) -> None:
        """Forget what no read at or after `horizon_ns` can return.

        The newest version that has arrived everywhere hides all older ones for good. Those still under way are
        kept until they arrive: their arrival can be rewritten, and it keeps later ones in order. Lost ones are not.
        """
        versions = self.versions
        newest = len(versions) - 1
        while newest >= 0 and versions[newest].settled_ns > horizon_ns:
            newest -= 1
        if newest > 0:
            under_way = [v for v in versions[:newest] if horizon_ns < v.settled_ns != LOST]
            self.versions = under_way + versions[newest:]

    @property
    def settled(self) -> bool:
        """Nothing left to forget: one version, and it is an item."""
        return len(self.versions) == 1 and self.versions[0].item is not None

    @property
    def settled_ns(self) -> int:
        """When the last version will have arrived everywhere."""
        return max(version.settled_ns for version in self.versions)

    def gone(self, horizon_ns: int) -> bool:
        """A deletion that has arrived everywhere and hides nothing any more."""
        versions = self.versions
        return len(versions) == 1 and versions[0].item is None and versions[0].settled_ns <= horizon_ns
