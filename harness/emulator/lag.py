"""How long a write is under way from one Region to another: models of replication lag.

No percentile of AWS's own lag has been published for any Region pair, so all of this is assumed [model], and is
to be printed as such:

    lag = P + RTT·J + 8 ms + tail,  at least RTT / 2
    P    LogNormal(median, sigma): waiting in the source's stream and replicator
    RTT  the Region pair's round trip (p50); J ~ LogNormal(0, ln(p90/p50) / 1.2816) of that pair
    tail with probability 0.003, Pareto(1 s, 1.8) capped at 60 s

    typical   median 650 ms, sigma 0.35 (the default)      fast      median 250 ms, sigma 0.25
    slow      median 1000 ms, sigma 0.40                   degraded  median 5 s, sigma 0.40
    bursty    as typical, but ln P moves slowly: AR(1), 0.5 after one second, for each of 8 source partitions
    paused    nothing arrives until resumed; what follows is as typical
    constant  exactly 500 ms, or constant=400ms

`median=400ms,sigma=0.3` sets P alone: the round trip and the 8 ms are added to it, the tail only with `tail=on`.
A preset may lead: `slow,sigma=0.6,tail=off`. Draws come from one seeded stream per link (from, to).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

from harness.emulator.rtt import PairRtt
from harness.errors import UsageError
from harness.units import NS_PER_MS, NS_PER_S, format_duration, parse_duration_ns, parse_positive_duration_ns

_APPLY_NS = 8 * NS_PER_MS
_TAIL_PROBABILITY, _TAIL_ALPHA, _TAIL_CAP = 0.003, 1.8, 60.0
_PARTITIONS = 8
_RHO_PER_S = 0.5


@dataclass(frozen=True, slots=True)
class LagSpec:
    """A lag model, before it is tied to a link. `constant_ns` overrides everything else."""

    name: str
    median_ns: int = 650 * NS_PER_MS
    sigma: float = 0.35
    tail: bool = True
    bursty: bool = False
    paused: bool = False
    constant_ns: int | None = None

    def describe(self) -> str:
        """The model in words, for the log and the results."""
        if self.constant_ns is not None:
            return f"{self.name}: exactly {format_duration(self.constant_ns)}"
        words = f"{self.name}: LogNormal(median {format_duration(self.median_ns)}, sigma {self.sigma:g})"
        if self.bursty:
            words += f", correlated over time in {_PARTITIONS} partitions"
        words += " + round trip + 8 ms" + (" + rare tail" if self.tail else "")
        return words + (", paused until resumed" if self.paused else "")


PRESETS = {
    "typical": LagSpec("typical"),
    "bursty": LagSpec("bursty", bursty=True),
    "slow": LagSpec("slow", median_ns=NS_PER_S, sigma=0.40),
    "fast": LagSpec("fast", median_ns=250 * NS_PER_MS, sigma=0.25),
    "degraded": LagSpec("degraded", median_ns=5 * NS_PER_S, sigma=0.40),
    "paused": LagSpec("paused", paused=True),
    "constant": LagSpec("constant", constant_ns=500 * NS_PER_MS),
}


def parse_lag(text: str) -> LagSpec:
    """Read "typical", "constant=400ms" or "median=400ms,sigma=0.3".

    Raises:
        UsageError: the text is not a lag model.
    """
    first, *rest = [term.strip() for term in text.split(",")]
    if "=" not in first:
        if first not in PRESETS:
            raise _unknown(text)
        spec = PRESETS[first]
    elif first.startswith("constant="):
        spec = replace(PRESETS["constant"], constant_ns=parse_duration_ns(first.removeprefix("constant=")))
    else:
        spec, rest = LagSpec("custom", tail=False), [first, *rest]
    if rest and spec.constant_ns is not None:
        raise UsageError(f"lag {text!r}: a constant lag takes no further settings")
    for term in rest:
        spec = _with_setting(spec, term, text)
    return spec


class LagStream:
    """The lag of one link, as a seeded stream of draws."""

    def __init__(self, spec: LagSpec, pair: PairRtt, rng: Random) -> None:
        self._spec = spec
        self._rng = rng
        self._rtt_ns = pair.p50_ns
        self._jitter = math.log(max(pair.p90_ns, pair.p50_ns) / pair.p50_ns) / 1.2816
        self._floor_ns = pair.p50_ns // 2
        self._bursts: dict[int, tuple[int, float]] = {}

    def draw_ns(self, commit_ns: int, partition: int) -> int:
        """The lag of a write of this instant; `partition` is any number that says where its item lives."""
        spec, rng = self._spec, self._rng
        if spec.constant_ns is not None:
            return spec.constant_ns
        if spec.bursty:
            deviation = self._burst(commit_ns, partition % _PARTITIONS)
        else:
            deviation = rng.gauss(0.0, 1.0)
        lag = spec.median_ns * math.exp(spec.sigma * deviation)
        lag += self._rtt_ns * math.exp(self._jitter * rng.gauss(0.0, 1.0)) + _APPLY_NS
        if spec.tail and rng.random() < _TAIL_PROBABILITY:
            lag += min(rng.paretovariate(_TAIL_ALPHA), _TAIL_CAP) * NS_PER_S
        return max(int(lag), self._floor_ns)

    def _burst(self, commit_ns: int, partition: int) -> float:
        """The standard normal state of a partition, carried from its last write to this one."""
        noise = self._rng.gauss(0.0, 1.0)
        if partition in self._bursts:
            last_ns, state = self._bursts[partition]
            rho = _RHO_PER_S ** ((commit_ns - last_ns) / NS_PER_S)
            noise = rho * state + math.sqrt(1.0 - rho * rho) * noise
        self._bursts[partition] = (commit_ns, noise)
        return noise


def _with_setting(spec: LagSpec, term: str, text: str) -> LagSpec:
    name, _, value = term.partition("=")
    match name.strip():
        case "median":
            return replace(spec, median_ns=parse_positive_duration_ns(value))
        case "sigma":
            return replace(spec, sigma=_sigma(value, text))
        case "tail" if value in ("on", "off"):
            return replace(spec, tail=value == "on")
    raise _unknown(text)


def _sigma(value: str, text: str) -> float:
    try:
        sigma = float(value)
    except ValueError:
        sigma = math.nan
    if not 0.0 <= sigma <= 5.0:
        raise UsageError(f"lag {text!r}: sigma must be a number from 0 to 5, such as sigma=0.3")
    return sigma


def _unknown(text: str) -> UsageError:
    presets = ", ".join(PRESETS)
    return UsageError(
        f"lag {text!r} is not a lag model; use {presets}, constant=400ms or median=400ms,sigma=0.3[,tail=on]"
    )
