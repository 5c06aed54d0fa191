"""How a run reaches its Regions: credentials, endpoints, clients; botocore's exceptions are translated here, once."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

import boto3
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import UNSIGNED
from botocore import exceptions as boto
from botocore.config import Config

from harness.dynamodb.credentials import KeptCredentials, retrieved
from harness.dynamodb.routes import proxies_for, route_to
from harness.dynamodb.schema import Schema
from harness.dynamodb.signed_http import SignedHttp
from harness.dynamodb.store import NEW, OWN, DynamoStore
from harness.errors import HarnessError, TargetUnavailable, UsageError

CONNECTIONS = 512
DATA_TIMEOUT_NS = 5_000_000_000

# The account id in an endpoint's name would be looked up in the middle of a run. AWS_ENDPOINT_URL and its like are
# ignored: what was not named with --endpoint is AWS.
_COMMON = {
    "account_id_endpoint_mode": "disabled",
    "connect_timeout": 5,
    "read_timeout": 10,
    "ignore_configured_endpoint_urls": True,
}
CONFIGURED = Config(retries={"mode": "standard", "total_max_attempts": 4}, **_COMMON)  # for other services
_NO_CREDENTIALS = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)
_NO_PROXY = "the proxy of HTTPS_PROXY or HTTP_PROXY does not answer; correct it, or unset it"
_PROXY_REFUSES = (
    "the proxy of HTTP_PROXY wants another user and password (HTTP 407); correct them in the variable"
)
_NO_NETWORK = (boto.HTTPClientError, boto.ConnectionError)


@dataclass(frozen=True, slots=True)
class Access:
    """Where the Regions are and who asks.

    `endpoints` maps Regions to URLs; a Region without one is reached at AWS. `keys` (access key id, secret) are the
    made-up ones of the emulator; without them, botocore's normal credential chain decides, `profile` included.
    """

    endpoints: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None
    keys: tuple[str, str] | None = None
    _made: list[boto3.Session] = field(default_factory=list, init=False, repr=False, compare=False)
    _lock: RLock = field(default_factory=RLock, init=False, repr=False, compare=False)

    def has_credentials(self) -> bool:
        """Does botocore's chain find any?

        Raises:
            UsageError, TargetUnavailable: it finds some that cannot be used.
        """
        return self.session().get_credentials() is not None

    def session(self) -> boto3.Session:
        """The session of both planes, whose credentials, if there are any, are good.

        There is one, so that a role is assumed, and a person asked for a second factor, once.

        Raises:
            UsageError, TargetUnavailable: the profile is unknown, or its credentials cannot be used.
        """
        with self._lock, retrieved(self.profile):
            if not self._made:
                self._made.append(boto3.Session(profile_name=self.profile, **self._key_arguments()))
        (session,) = self._made
        with self._lock, retrieved(profile_of(session)):
            credentials = session.get_credentials()
            if credentials is not None:
                credentials.get_frozen_credentials()
        return session

    def control(self, region: str, attempts: int = 4) -> Any:
        """A boto3 DynamoDB client for the control plane of one Region; it asks up to `attempts` times."""
        return self._client("dynamodb", region, self.endpoints.get(region), attempts)

    def monitoring(self, region: str, url: str | None, attempts: int = 4) -> Any:
        """A boto3 CloudWatch client of one Region, at `url` where there is one."""
        return self._client("cloudwatch", region, url, attempts)

    def _client(self, service: str, region: str, url: str | None, attempts: int) -> Any:
        session = self.session()
        with self._lock, translated(region):  # sessions are not for threads
            config = Config(
                retries={"mode": "standard", "total_max_attempts": attempts},
                # The environment says, which botocore asks only of an endpoint it resolved itself.
                proxies=None if url is None else proxies_for(url),
                **_COMMON,
            )
            return session.client(service, region_name=region, endpoint_url=url, config=config)

    @contextlib.asynccontextmanager
    async def stores(
        self,
        regions: Sequence[str],
        table: str,
        change: str = NEW,
        schema: Schema = OWN,
        versions: int = 1,
    ) -> AsyncIterator[dict[str, DynamoStore]]:
        """Stores for the data plane of each Region, their connection pools open.

        `change` and `versions` (of each item) are what they make and see.
        """
        session = AioSession(profile=self.profile)
        session.set_credentials("nobody", "signs")  # it resolves endpoints only
        stores: dict[str, DynamoStore] = {}
        credentials = await self._kept(regions[0])
        try:
            for region in regions:
                http = await self._signed_http(session, region, credentials)
                http.open()
                stores[region] = DynamoStore(http, table, change, schema, versions)
            yield stores
        finally:
            for store in stores.values():
                await store.http.close()
            await credentials.close()

    async def _kept(self, region: str) -> KeptCredentials:
        session = await asyncio.to_thread(self.session)
        source = session.get_credentials()
        with translated(region):
            if source is None:
                raise boto.NoCredentialsError
        credentials = KeptCredentials(source, profile_of(session))
        await credentials.get_frozen_credentials()
        return credentials

    async def _signed_http(
        self, session: AioSession, region: str, credentials: KeptCredentials
    ) -> SignedHttp:
        with translated(region):
            client = session.create_client(
                "dynamodb",
                region_name=region,
                endpoint_url=self.endpoints.get(region),
                config=AioConfig(signature_version=UNSIGNED, **_COMMON),
            )
            # Only for the endpoint that botocore asks; the client's `meta` may tell another one.
            async with client as opened:
                url = (await opened.generate_presigned_url("list_tables")).partition("?")[0]
            trusted = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
            route = route_to(url, trusted or True)
            return SignedHttp(region, route, credentials, CONNECTIONS, DATA_TIMEOUT_NS)

    def _key_arguments(self) -> dict[str, str]:
        if self.keys is None:
            return {}
        return {"aws_access_key_id": self.keys[0], "aws_secret_access_key": self.keys[1]}


def profile_of(session: boto3.Session) -> str | None:
    """The profile a session takes its credentials from, None for the default one."""
    name = session.profile_name
    return None if name == "default" else str(name)


@functools.cache
def aws_regions() -> frozenset[str]:
    """The Regions that botocore knows for DynamoDB; it would accept any other name without a word."""
    session = boto3.Session()
    return frozenset(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("dynamodb", partition)
    )


@contextlib.contextmanager
def translated(region: str, table: str | None = None) -> Iterator[None]:
    """Turn botocore's exceptions into one sentence: what, where, what to do.

    Raises:
        UsageError: the profile does not exist.
        TargetUnavailable: credentials, network, permissions or the table.
    """
    where = f"table {table} in {region}" if table else region
    try:
        yield
    except HarnessError:
        raise
    except boto.ProfileNotFound as error:
        raise UsageError(f"{error}; name one of your profiles with --profile") from None
    except _NO_CREDENTIALS as error:
        text = f"no AWS credentials for {region}: {error}; log in, or name a profile with --profile"
        raise TargetUnavailable(text) from None
    except boto.ProxyConnectionError:  # its text may hold the proxy's password
        raise TargetUnavailable(f"cannot reach {where}: {_NO_PROXY}") from None
    except _NO_NETWORK as error:
        raise TargetUnavailable(
            f"cannot reach {where}: {error}; check the endpoint and the network"
        ) from None
    except boto.ClientError as error:
        details = error.response.get("Error", {})
        if details.get("Code") == "407":
            raise TargetUnavailable(f"cannot reach {where}: {_PROXY_REFUSES}") from None
        text = f"{details.get('Code', 'error')}: {details.get('Message', '')}"
        raise TargetUnavailable(f"{where} refused {error.operation_name}: {text}") from None
    except boto.EndpointVariantError as error:
        kinds = " and ".join(error.kwargs["tags"])
        raise TargetUnavailable(
            f"{where} has no {kinds} endpoint; unset AWS_USE_DUALSTACK_ENDPOINT or AWS_USE_FIPS_ENDPOINT, or what the "
            "profile says of them"
        ) from None
    except boto.BotoCoreError as error:
        raise TargetUnavailable(f"{where}: {error}") from None
    except RuntimeError as error:  # what botocore raises where a helper returns credentials that have expired
        if "expired" not in str(error):
            raise
        raise TargetUnavailable(f"{where} cannot be asked any more: {error}") from None
