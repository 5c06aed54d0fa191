"""Credentials as botocore's chain finds and renews them, without a request that waits for it or a traceback.

botocore renews within the request that finds them about to expire, and, of those with less than ten minutes left, with
every request anew: for a `credential_process` that is a process per poll.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from botocore import exceptions as boto

from harness.errors import HarnessError, TargetUnavailable, UsageError
from harness.measure.clock import now_ns
from harness.units import NS_PER_S

RENEW_EVERY_NS = 10 * NS_PER_S  # while the old ones are still good
RETRY_EVERY_NS = NS_PER_S  # once they are not
CLOSE_S = 5

_SIGNED_OUT = (boto.SSOError, boto.TokenRetrievalError)
# A helper process that is missing or says no JSON, and refreshed credentials that are expired, raise plain errors.
_PLAIN = (OSError, ValueError, RuntimeError)


@contextlib.contextmanager
def retrieved(profile: str | None) -> Iterator[None]:
    """Turn what goes wrong while credentials are looked for into one sentence with the remedy.

    `profile` is the one in use, None for botocore's default.

    Raises:
        UsageError: the profile does not exist.
        TargetUnavailable: they cannot be had, or what is had has expired.
    """
    try:
        yield
    except HarnessError:
        raise
    except boto.ProfileNotFound as error:
        raise UsageError(f"{error}; name one of your profiles with --profile") from None
    except (boto.BotoCoreError, boto.ClientError, *_PLAIN) as error:
        whose = f" of profile {profile}" if profile else ""
        raise TargetUnavailable(
            f"no usable AWS credentials{whose}: {_reason(error)}; {_remedy(error, profile)}"
        ) from None


class KeptCredentials:
    """The frozen credentials of a session, renewed beside the requests, in a thread, rather than within one.

    `source` is what boto3's `Session.get_credentials()` returned. Requests wait only while there are no good ones.
    """

    def __init__(self, source: Any, profile: str | None = None) -> None:
        self._source = source
        self._profile = profile
        self._needed = getattr(source, "refresh_needed", None)  # those that last for ever have none
        self._frozen: Any = None
        self._failure: HarnessError | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._tried_ns = now_ns()

    @property
    def failure(self) -> str | None:
        """Why the last renewal failed, in a sentence; None where it did not."""
        return None if self._failure is None else str(self._failure)

    async def get_frozen_credentials(self) -> Any:
        """Access key, secret key and token to sign with now.

        Raises:
            TargetUnavailable: they have expired, and could not be renewed in the last second.
        """
        while not self._good():
            renewal = self._begin_renewal(RETRY_EVERY_NS)
            if renewal is None:
                assert self._failure is not None
                raise self._failure
            await asyncio.shield(renewal)
        if self._needed is not None and self._needed():
            self._begin_renewal(RENEW_EVERY_NS)
        return self._frozen

    async def close(self) -> None:
        """Let a renewal that is under way come to its end."""
        if self._renewal is not None:
            await asyncio.wait({self._renewal}, timeout=CLOSE_S)

    def _good(self) -> bool:
        return self._frozen is not None and not (self._needed is not None and self._needed(0))

    def _begin_renewal(self, every_ns: int) -> asyncio.Task[None] | None:
        """The renewal under way, one just begun, or None where the last one was too short a while ago."""
        must = not self._good() and self._failure is None
        if self._renewal is None and (must or now_ns() >= self._tried_ns + every_ns):
            self._tried_ns = now_ns()
            self._renewal = asyncio.create_task(self._renew())
        return self._renewal

    async def _renew(self) -> None:
        try:
            with retrieved(self._profile):
                self._frozen = await asyncio.to_thread(self._source.get_frozen_credentials)
                if not self._good():
                    raise RuntimeError("those that were given have expired")
            self._failure = None
        except HarnessError as error:
            self._failure = error
        finally:
            self._tried_ns = now_ns()
            self._renewal = None


def _reason(error: Exception) -> str:
    """On one line; a proxy's password may be in the text of one that does not answer."""
    if isinstance(error, boto.ProxyConnectionError):
        return "the proxy of HTTPS_PROXY or HTTP_PROXY does not answer"
    return " ".join(str(error).split()).rstrip(".;") or type(error).__name__


def _remedy(error: Exception, profile: str | None) -> str:
    if isinstance(error, _SIGNED_OUT):
        return f"log in with `aws sso login{f' --profile {profile}' if profile else ''}`"
    return "log in again, or name another profile with --profile"
