"""What only an emulator has: POST /_admin/resume, and faults ordered, listed and cleared at /_admin/faults.

curl -d 'throttle:us-west-2:reads:30%=0s-4s' http://127.0.0.1:8000/_admin/faults     from now until 4 s from now
curl http://127.0.0.1:8000/_admin/faults                                             each, and how often it struck
curl -X DELETE http://127.0.0.1:8000/_admin/faults                                   none any more
"""

from __future__ import annotations

from typing import Any

from harness.emulator.errors import WireError
from harness.emulator.faults.grammar import parse_faults
from harness.emulator.replication import World
from harness.emulator.wire import Arrived
from harness.errors import UsageError

PREFIX = b"/_admin/"
_KNOWN = "The emulator knows POST /_admin/resume, and POST, GET and DELETE /_admin/faults"


def administer(world: World, request: Arrived, now_ns: int) -> tuple[int, dict[str, Any]]:
    """(HTTP status, body) of one request under `PREFIX`."""
    try:
        return 200, _answer(world, request, now_ns)
    except UsageError as error:
        refusal = WireError("ValidationException", str(error))
    except WireError as error:
        refusal = error
    return refusal.status, refusal.body()


def _answer(world: World, request: Arrived, now_ns: int) -> dict[str, Any]:
    match request.method, request.path.removeprefix(PREFIX):
        case b"POST", b"resume":
            world.resume(now_ns)
            return {}
        case b"POST", b"faults":
            faults = parse_faults([request.body.decode(errors="replace")], world.regions)
            if not faults:
                raise UsageError("the body holds no fault such as throttle:us-west-2=0s-4s")
            for fault in faults:
                world.order(fault, now_ns)
        case b"DELETE", b"faults":
            world.clear_faults(now_ns)
        case b"GET", b"faults":
            pass
        case _:
            raise WireError("UnknownOperationException", _KNOWN, 404)
    return {"faults": _listed(world, now_ns)}


def _listed(world: World, now_ns: int) -> list[dict[str, Any]]:
    return [
        {
            "fault": standing.fault.text,
            "words": standing.describe(),
            "state": standing.state(now_ns),
            "struck": standing.struck,
        }
        for standing in world.faults.listed
    ]
