"""What a verb measures: the embedded emulator (started here, in its own process), AWS, or given endpoints."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from harness.cli import say
from harness.errors import HarnessError, TargetUnavailable, UsageError

if TYPE_CHECKING:
    from harness.dynamodb.access import Access

KINDS = ("local", "aws", "endpoint")
EMULATOR_KEYS = ("AKIAEMULATOR", "emulator-secret")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")  # of a host's name, as botocore takes it
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
_STOP_S = 5


@dataclass(frozen=True, slots=True)
class Target:
    """Where the Regions of a run are.

    `kind` is local, aws or endpoint; `endpoints` maps Regions to URLs (empty for AWS); `details` is what the
    emulator says of itself.
    """

    kind: str
    endpoints: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """Is the replication lag simulated?"""
        return self.kind == "local"

    @property
    def label(self) -> str:
        """The word every output carries: simulated, AWS or endpoint."""
        return {"local": "simulated", "aws": "AWS"}.get(self.kind, "endpoint")


@dataclass(frozen=True, slots=True)
class EmulatorOptions:
    """How the emulator behaves; the strings are those of its command line."""

    lag: str = "typical"
    seed: int = 1
    client: str | None = None
    truth: Path | None = None
    log: Path | None = None
    extra: tuple[str, ...] = ()


@contextlib.contextmanager
def emulator(regions: Sequence[str], options: EmulatorOptions) -> Iterator[Target]:
    """The emulator, serving `regions` for as long as the context lasts; it also ends when this process does.

    Raises:
        UsageError: it refuses its options.
        TargetUnavailable: it does not start.
    """
    command = [sys.executable, "-m", "harness.emulator", "--json", "--die-with-parent"]
    command += [f"--regions={','.join(regions)}", f"--lag={options.lag}", f"--seed={options.seed}"]
    command += [f"--client={options.client or regions[0]}"]
    command += ["--truth", str(options.truth)] if options.truth else []
    command += options.extra
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(options.log.open("wb")) if options.log else subprocess.PIPE
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the harness; it stops the emulator last
        )
        stack.callback(_stop, process)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise _refused(process, options)
        ready = orjson.loads(line)
        yield Target("local", ready["regions"], ready)


def parse_endpoints(texts: Sequence[str]) -> dict[str, str]:
    """Read `REGION=URL` arguments.

    Raises:
        UsageError: one is not of that form, or names a Region again.
    """
    endpoints: dict[str, str] = {}
    for text in texts:
        region, equals, url = text.partition("=")
        if not equals or not is_url(url):
            raise UsageError(
                f"--endpoint {text!r} is not REGION=URL, for example us-west-2=http://127.0.0.1:8000"
            )
        refuse_secrets(url, f"--endpoint {region}=…")
        if region in endpoints:
            raise UsageError(f"--endpoint names Region {region} twice")
        if not _REGION.fullmatch(region):
            raise UsageError(
                f"--endpoint {text!r}: {region!r} cannot be a Region's name (letters, digits and hyphens)"
            )
        endpoints[region] = url
    return endpoints


def is_url(text: str) -> bool:
    """Is this the URL of a server that speaks HTTP?"""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # no such port, or brackets that are not those of an IPv6 address
        return False
    named = ":" in host or all(_LABEL.fullmatch(label) for label in host.split("."))
    return bool(re.fullmatch(r"https?://[!-~]+", text)) and named and port != 0


def refuse_secrets(url: str, where: str) -> None:
    """Refuse a URL that holds a user name: it would be kept in the manifest.

    Raises:
        UsageError: naming `where` it was given.
    """
    if urlsplit(url).username is not None:
        raise UsageError(f"{where} holds a user name or password; leave it out of the URL")


def parse_regions(text: str) -> tuple[str, ...]:
    """Read the comma-separated Regions of --to.

    Raises:
        UsageError: there is none, or one is named twice.
    """
    regions = tuple(part.strip() for part in text.split(",") if part.strip())
    if not regions:
        raise UsageError("--to names no Region")
    if len(set(regions)) < len(regions):
        raise UsageError(f"--to names a Region twice: {text}")
    return regions


def choose_target(
    target: str | None, texts: Sequence[str], regions: Sequence[str]
) -> tuple[str, dict[str, str]]:
    """(kind, endpoints) from --target and the --endpoint arguments, for these Regions.

    Raises:
        UsageError: they contradict each other, or a Region is unknown or has no endpoint.
    """
    endpoints = parse_endpoints(texts)
    if endpoints and target:
        raise UsageError("--endpoint and --target exclude each other")
    if endpoints:
        missing = [region for region in regions if region not in endpoints]
        if missing:
            raise UsageError(f"no --endpoint for {', '.join(missing)}; give one REGION=URL for each Region")
        return "endpoint", endpoints
    if target == "aws":
        from harness.dynamodb.access import aws_regions

        check_regions(regions, aws_regions())
        return "aws", {}
    from harness.regions import matrix_regions

    check_regions(regions, matrix_regions())
    return "local", {}


def remote_access(kind: str, endpoints: Mapping[str, str], profile: str | None) -> Access:
    """The way to AWS, or to endpoints: these get made-up credentials where there are none."""
    from harness.dynamodb.access import Access

    access = Access(endpoints, profile)
    if kind == "endpoint" and not access.has_credentials():
        say("no AWS credentials found; signing with made-up ones, which AWS itself would refuse")
        return Access(endpoints, profile, EMULATOR_KEYS)
    return access


def check_regions(regions: Sequence[str], known: Sequence[str] | frozenset[str]) -> None:
    """Refuse a Region that is not in `known`, naming the nearest one.

    Raises:
        UsageError: naming the Region.
    """
    import difflib

    for region in regions:
        if region not in known:
            near = difflib.get_close_matches(region, sorted(known), 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            raise UsageError(f"unknown Region {region!r}; {hint}")


def _refused(process: subprocess.Popen[bytes], options: EmulatorOptions) -> HarnessError:
    process.wait(timeout=_STOP_S)
    if options.log is not None:
        text = options.log.read_text(errors="replace")
    else:
        assert process.stderr is not None
        text = process.stderr.read().decode(errors="replace")
    last = (text.strip().splitlines() or ["it said nothing"])[-1].removeprefix("error: ")
    if process.returncode == 2:
        return UsageError(last)
    return TargetUnavailable(f"the emulator did not start: {last}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
