"""Ports that close and open again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from harness.emulator.ports import HOST, Ports
from harness.emulator.wire import Arrived, Connection
from tests.emulator.worlds import OREGON, SYDNEY


class Nobody:
    """A handler that answers nothing."""

    def opened(self, connection: Connection) -> None:
        pass

    def lost(self, connection: Connection) -> None:
        pass

    def arrived(self, connection: Connection, request: Arrived) -> None:
        pass


@pytest.fixture
async def ports() -> AsyncIterator[Ports]:
    opened = Ports(Nobody())
    await opened.listen((OREGON, SYDNEY), 0)
    yield opened
    await opened.close()


async def connects(ports: Ports, region: str) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, ports.numbers[region])
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


async def until_connected(ports: Ports, region: str) -> None:
    while not await connects(ports, region):
        pass


async def test_one_region_refuses_connections_until_it_is_back_on_the_same_port(ports: Ports) -> None:
    for _ in range(3):
        ports.take_down(SYDNEY)
        assert not await connects(ports, SYDNEY)
        assert await connects(ports, OREGON)
        ports.bring_back(SYDNEY)
        await until_connected(ports, SYDNEY)


async def test_going_away_again_before_it_is_quite_back_leaves_it_away(ports: Ports) -> None:
    ports.take_down(SYDNEY)
    ports.bring_back(SYDNEY)
    ports.take_down(SYDNEY)
    for _ in range(5):
        assert not await connects(ports, SYDNEY)
    ports.bring_back(SYDNEY)
    ports.bring_back(SYDNEY)
    await until_connected(ports, SYDNEY)


async def test_nobody_gets_the_port_of_a_region_that_is_away(ports: Ports) -> None:
    ports.take_down(SYDNEY)
    with pytest.raises(OSError, match="in use"):
        await asyncio.start_server(lambda *_: None, HOST, ports.numbers[SYDNEY])
