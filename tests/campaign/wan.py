"""Two network namespaces joined by a relay of packets that delays, drops and reorders: real TCP at a distance.

    near ──tun── relay ──tun── far

The far end answers on its 127.0.0.1, which is routed through the tunnel, so that a server needs to know nothing of it.
The namespaces have no names and belong to processes whose standard input is a pipe from here: they are gone with
their tunnels as soon as this process is, however it ends. Needs root and /dev/net/tun.

`python -m tests.campaign.wan` is the relay itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TUN = Path("/dev/net/tun")
TUNSETIFF, IFF_TUN_NO_PI = 0x400454CA, 0x1001
MTU = 576  # an answer with many items takes several packets, which may overtake each other
NEAR_ADDRESS, FAR_ADDRESS = "10.213.0.1", "127.0.0.1"


@dataclass(frozen=True)
class Route:
    """One-way delays in milliseconds, the share of packets lost, and of those held back by up to `hold_ms` more."""

    there_ms: float = 70.0
    back_ms: float = 70.0
    loss: float = 0.0
    reorder: float = 0.0
    hold_ms: float = 30.0


@dataclass
class Carried:
    """What the relay did to the packets of one direction."""

    packets: int = 0
    dropped: int = 0
    held: int = 0


class Relay:
    """Carries packets between two tunnels until its standard input ends; `by_port` has paths of their own."""

    def __init__(self, near: int, far: int, default: Route, by_port: dict[int, Route], seed: int) -> None:
        self.carried = {near: Carried(), far: Carried()}
        self._other = {near: far, far: near}
        self._near = near
        self._default = default
        self._by_port = by_port
        self._rng = random.Random(seed)
        self._queue: list[tuple[float, int, int, bytes]] = []
        self._count = 0

    def run(self) -> None:
        """Carry."""
        while True:
            wait_s = max(0.0, self._queue[0][0] - time.monotonic()) if self._queue else None
            ready, _, _ = select.select([*self._other, sys.stdin], [], [], wait_s)
            for side in ready:
                if side is sys.stdin:
                    return
                self._take(side, os.read(side, 65536))
            while self._queue and self._queue[0][0] <= time.monotonic():
                _, _, side, packet = heapq.heappop(self._queue)
                os.write(side, packet)

    def _take(self, side: int, packet: bytes) -> None:
        path, carried = self._path(side, packet), self.carried[side]
        carried.packets += 1
        if self._rng.random() < path.loss:
            carried.dropped += 1
            return
        delay_ms = path.there_ms if side == self._near else path.back_ms
        if self._rng.random() < path.reorder:
            carried.held += 1
            delay_ms += self._rng.uniform(0, path.hold_ms)
        self._count += 1
        heapq.heappush(
            self._queue, (time.monotonic() + delay_ms / 1e3, self._count, self._other[side], packet)
        )

    def _path(self, side: int, packet: bytes) -> Route:
        """By the far end's TCP port."""
        header = (packet[0] & 15) * 4
        source, destination = struct.unpack_from("!HH", packet, header)
        return self._by_port.get(destination if side == self._near else source, self._default)


def open_tun(name: str) -> int:
    """The file descriptor of a new tunnel, which lives as long as it is open."""
    tun = os.open(TUN, os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN_NO_PI))
    return tun


@dataclass(frozen=True)
class End:
    """One end: the namespace of a process that waits for its standard input to end."""

    pid: int

    def command(self, *command: str) -> list[str]:
        """A command as it is run in there."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *command]

    def run(self, *command: str) -> str:
        """Run a command in there and return what it printed."""
        return subprocess.run(
            self.command(*command), check=True, capture_output=True, text=True, timeout=30
        ).stdout

    def retransmitted(self) -> int:
        """TCP segments that this end has sent again."""
        names, values = (line.split() for line in self.run("grep", "^Tcp:", "/proc/net/snmp").splitlines())
        return int(values[names.index("RetransSegs")])


@dataclass
class Wan:
    """Both ends; `carried` is known once the context is over."""

    near: End
    far: End
    carried: list[Carried] = field(default_factory=list)


@contextlib.contextmanager
def waiting(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A process that ends when its standard input does, at the latest now."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process
        process.stdin.close()
        process.wait(10)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@contextlib.contextmanager
def namespace() -> Iterator[End]:
    """A network namespace with nothing in it."""
    with waiting("unshare", "--net", "sh", "-c", "echo; exec cat") as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield End(process.pid)


@contextlib.contextmanager
def wan(default: Route, by_port: dict[int, Route] | None = None, seed: int = 1) -> Iterator[Wan]:
    """Two namespaces and the relay between them."""
    names = [f"{end}{os.getpid()}" for end in ("near", "far")]
    asked = {
        "names": names,
        "default": asdict(default),
        "by_port": {port: asdict(path) for port, path in (by_port or {}).items()},
        "seed": seed,
    }
    with contextlib.ExitStack() as stack:
        near, far = stack.enter_context(namespace()), stack.enter_context(namespace())
        relay = stack.enter_context(waiting(sys.executable, "-m", "tests.campaign.wan", json.dumps(asked)))
        assert relay.stdin is not None
        assert relay.stdout is not None
        relay.stdout.readline()
        for end, name, own, other in (
            (near, names[0], NEAR_ADDRESS, FAR_ADDRESS),
            (far, names[1], FAR_ADDRESS, NEAR_ADDRESS),
        ):
            subprocess.run(["ip", "link", "set", name, "netns", str(end.pid)], check=True, timeout=30)
            _lead_through(end, name, own, other)
        both = Wan(near, far)
        yield both
        relay.stdin.close()
        both.carried = [Carried(**direction) for direction in json.loads(relay.stdout.readline())]


def _lead_through(end: End, tun: str, own: str, other: str) -> None:
    """Send packets for `other` through the tunnel, a loopback address though it or `own` is."""
    end.run("sh", "-c", f"echo 1 > /proc/sys/net/ipv4/conf/{tun}/route_localnet")
    end.run("ip", "address", "add", f"{own}/32", "dev", tun)
    end.run("ip", "link", "set", tun, "mtu", str(MTU), "up")
    end.run("ip", "route", "add", f"{other}/32", "dev", tun, "src", own)


def missing() -> str | None:
    """Why there can be no such network here, if so."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux, to make network namespaces"
    if not os.access(TUN, os.R_OK | os.W_OK):
        return f"needs {TUN}"
    try:
        with wan(Route(0, 0)) as both:
            both.near.run("true")
    except (OSError, subprocess.SubprocessError) as error:
        return f"cannot make network namespaces here: {error}"
    return None


def main(argv: Sequence[str]) -> None:
    """Be the relay."""
    asked: dict[str, Any] = json.loads(argv[0])
    near, far = (open_tun(name) for name in asked["names"])
    by_port = {int(port): Route(**path) for port, path in asked["by_port"].items()}
    relay = Relay(near, far, Route(**asked["default"]), by_port, asked["seed"])
    _say("ready")
    relay.run()
    _say(json.dumps([asdict(relay.carried[side]) for side in (near, far)]))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
