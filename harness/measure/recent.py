"""Values of which only the latest matter, in a space that does not grow with their number."""

from __future__ import annotations

from bisect import insort

REMEMBERED = 2000


class Recent:
    """A sorted sample of the values added; once `REMEMBERED` are held, every other one is forgotten.

    Their distribution stays while the old ones fade: after n thinnings a value stands for itself with probability 2⁻ⁿ.
    `count` is of all values there ever were.
    """

    def __init__(self) -> None:
        self.count = 0
        self.values: list[int] = []

    def add(self, value: int) -> None:
        """Remember one value."""
        self.count += 1
        insort(self.values, value)
        if len(self.values) > REMEMBERED:  # keep the shape
            self.values = self.values[::2]

    def quantile(self, share: float) -> int:
        """The value below which this share of the sample lies; there must be one."""
        return self.values[min(len(self.values) - 1, int(share * len(self.values)))]
