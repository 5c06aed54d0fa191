"""An experiment as its TOML file declares it: a question, Regions, settings, and the axes along which they are swept.

[experiment]  name, question, expected_to_fail (gates that the runs are meant to fail)
[regions]     pairs = [["us-west-2", "eu-west-1"], …] or all = ["us-west-2", …] (all ordered pairs of them);
              together = "source" (a run measures one source with all its replicas), "all" or "pair"
[workload]    rate, arrivals, item_size, keys, samples or duration, warmup, shards, seed
[polling]     interval, strategy, schedule, read, timeout, control
[emulator]    lag, rtt, eventual_lag, pause, throttle, fault
[run]         repetitions

In `[workload]`, `[polling]` and `[emulator]` a list of values is an axis of the sweep. Unknown keys are refused.
"""

from __future__ import annotations

import difflib
import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.experiments.settings import SECTIONS, Settings, one_of, whole
from harness.measure.plan import SEEDS

Pair = tuple[str, str]

REPETITIONS = range(1, 1001)
TOGETHER = ("source", "all", "pair")
_KEYS: Mapping[str, frozenset[str]] = {
    "experiment": frozenset({"name", "question", "expected_to_fail"}),
    "regions": frozenset({"pairs", "all", "together"}),
    **{section: frozenset(settings) for section, settings in SECTIONS.items()},
    "workload": frozenset({*SECTIONS["workload"], "seed"}),
    "run": frozenset({"repetitions"}),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One cell of the sweep: its label ("item_size=1KB, rate=20/s", "" without axes) and what it sets."""

    label: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class Experiment:
    """What a file asks for. `groups` are the pairs each run measures together; `seed` None is drawn anew each time."""

    name: str
    question: str
    groups: tuple[tuple[Pair, ...], ...]
    conditions: tuple[Condition, ...]
    repetitions: int = 1
    seed: int | None = None
    expected_to_fail: tuple[str, ...] = ()

    @property
    def regions(self) -> tuple[str, ...]:
        """Every Region of the experiment, sorted."""
        return tuple(sorted({region for group in self.groups for pair in group for region in pair}))

    def scaled(self, samples: int | None, scale: float) -> Experiment:
        """The same with every run over `samples` writes, or `scale` times as long.

        Raises:
            UsageError: no write is left.
        """
        return replace(
            self,
            conditions=tuple(
                replace(condition, settings=condition.settings.scaled(samples, scale))
                for condition in self.conditions
            ),
        )


def load_experiment(path: Path) -> Experiment:
    """The experiment a TOML file declares.

    Raises:
        UsageError: the file is missing, is not TOML, or asks for something that makes no sense; names file and key.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # also of numbers of thousands of digits, and of bytes
        raise UsageError(f"{path} is not TOML: {error}") from None
    try:
        return parse_experiment(raw)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def parse_experiment(raw: Mapping[str, Any]) -> Experiment:
    """The experiment of a file's tables.

    Raises:
        UsageError: an unknown section or key (names the nearest), or a value that makes no sense.
    """
    sections = {name: _section(raw, name) for name in _KEYS}
    _refuse_unknown("section", raw, _KEYS, "[{}]")
    about, run = sections["experiment"], sections["run"]
    workload = dict(sections["workload"])
    seed = _read("workload", "seed", whole(SEEDS), workload.pop("seed", 0)) if "seed" in workload else None
    return Experiment(
        _read("experiment", "name", _name, about.get("name")),
        _read("experiment", "question", _sentence, about.get("question")),
        _groups(sections["regions"]),
        tuple(_conditions({**sections, "workload": workload})),
        _read("run", "repetitions", whole(REPETITIONS), run.get("repetitions", 1)),
        seed,
        tuple(_read("experiment", "expected_to_fail", _words, about.get("expected_to_fail", []))),
    )


def _section(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = raw.get(name, {})
    if not isinstance(section, dict):
        raise UsageError(f"{name} must be a section, [{name}]")
    _refuse_unknown(f"[{name}]", section, _KEYS[name], "{}")
    return section


def _refuse_unknown(where: str, found: Iterable[str], known: Iterable[str], form: str) -> None:
    for key in found:
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), 1, cutoff=0.5)
            names = ", ".join(form.format(name) for name in sorted(known))
            hint = f"did you mean {form.format(near[0])}?" if near else f"there are {names}"
            raise UsageError(f"{where} {form.format(key)} is not known; {hint}")


def _conditions(sections: Mapping[str, Mapping[str, Any]]) -> Iterable[Condition]:
    """The product of all axes, in the order of the file's keys."""
    base, axes = Settings(), []
    if {"samples", "duration"} <= sections["workload"].keys():
        raise UsageError("[workload] has both samples and duration; leave one out")
    for section in SECTIONS:
        for key, value in sections[section].items():
            if isinstance(value, list):
                axes.append(_axis(section, key, value))
            else:
                base = _applied(base, section, key, value)
    for cell in itertools.product(*axes):
        settings_ = base
        for section, key, value in cell:
            settings_ = _applied(settings_, section, key, value)
        yield Condition(
            ", ".join(f"{key}={_shown(value)}" for _, key, value in cell), settings_.scaled(None, 1.0)
        )


def _axis(section: str, key: str, values: list[Any]) -> list[tuple[str, str, Any]]:
    if not values:
        raise UsageError(f"[{section}] {key} is an empty list; give at least one value")
    if len({_shown(value) for value in values}) < len(values):
        raise UsageError(f"[{section}] {key} names a value twice")
    return [(section, key, value) for value in values]


def _applied(settings: Settings, section: str, key: str, value: object) -> Settings:
    try:
        return SECTIONS[section][key].apply(settings, value)
    except UsageError as error:
        raise UsageError(f"[{section}] {key}: {error}") from None


def _read(section: str, key: str, parse: Any, value: object) -> Any:
    if value is None:
        raise UsageError(f"[{section}] has no {key}; give it one")
    try:
        return parse(value)
    except UsageError as error:
        raise UsageError(f"[{section}] {key}: {error}") from None


def _shown(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise UsageError(f"{value!r} is not a name of small letters, digits and hyphens, such as one-pair")
    return value


def _sentence(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{value!r} is not a sentence in quotes")
    return value.strip()


def _words(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise UsageError(f'{value!r} is not a list of names such as ["throttles"]')
    return value


def _groups(section: Mapping[str, Any]) -> tuple[tuple[Pair, ...], ...]:
    if ("pairs" in section) == ("all" in section):
        raise UsageError(
            '[regions] needs either pairs = [["us-west-2", "eu-west-1"]] or all = ["us-west-2", …]'
        )
    pairs = _all_pairs(section["all"]) if "all" in section else _listed_pairs(section["pairs"])
    together = _read("regions", "together", one_of(TOGETHER), section.get("together", "source"))
    if together == "all":
        return (tuple(pairs),)
    if together == "pair":
        return tuple((pair,) for pair in pairs)
    sources = dict.fromkeys(source for source, _ in pairs)
    return tuple(tuple(pair for pair in pairs if pair[0] == source) for source in sources)


def _all_pairs(regions: object) -> list[Pair]:
    if not isinstance(regions, list) or len(regions) < 2 or not all(isinstance(r, str) for r in regions):
        raise UsageError(f"[regions] all: {regions!r} is not a list of two Regions or more")
    if len(set(regions)) < len(regions):
        raise UsageError("[regions] all names a Region twice")
    return list(itertools.permutations(regions, 2))


def _listed_pairs(value: object) -> list[Pair]:
    if not isinstance(value, list) or not value:
        raise UsageError(f'[regions] pairs: {value!r} is not a list such as [["us-west-2", "eu-west-1"]]')
    pairs: list[Pair] = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(r, str) for r in pair):
            raise UsageError(f'[regions] pairs: {pair!r} is not ["FROM", "TO"]')
        if pair[0] == pair[1] or (pair[0], pair[1]) in pairs:
            raise UsageError(f"[regions] pairs: {pair[0]} → {pair[1]} is named twice, or leads nowhere")
        pairs.append((pair[0], pair[1]))
    return pairs
