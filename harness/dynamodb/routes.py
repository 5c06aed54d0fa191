"""How to get to an endpoint: through which proxy, trusting whom. The environment is read as botocore reads it.

A server on this host's loopback is never asked through a proxy: the embedded emulator would be out of reach wherever
HTTP_PROXY is set.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.utils import get_environ_proxies

from harness.errors import TargetUnavailable


@dataclass(frozen=True, slots=True)
class Route:
    """A URL and the way there.

    `proxy` is without its user and password, which are in `to_proxy`, headers for whoever asks the proxy itself.
    """

    url: str
    proxy: str | None = None
    to_proxy: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Headers that each request carries for the proxy: where the way is encrypted it gets none to see."""
        return {} if self.url.startswith("https:") else self.to_proxy


def route_to(url: str, ca_bundle: str | bool = True) -> Route:
    """The way to an endpoint; `ca_bundle` is a file or directory of certificates, True for botocore's own.

    Raises:
        TargetUnavailable: the certificates cannot be read.
    """
    ways = ProxyConfiguration(proxies_for(url))
    proxy = ways.proxy_url_for(url)
    tls = _trusting(get_cert_path(ca_bundle)) if url.startswith("https:") else None
    if proxy is None:
        return Route(url, tls=tls)
    return Route(url, _without_password(proxy), ways.proxy_headers_for(proxy), tls)


def proxies_for(url: str) -> dict[str, str]:
    """The proxies of the environment by scheme, none for a URL that NO_PROXY exempts or that is on this host."""
    if is_loopback(urlsplit(url).hostname or ""):
        return {}
    found: dict[str, str] = get_environ_proxies(url)
    return found


def is_loopback(host: str) -> bool:
    """Is it this host itself?"""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _trusting(certificates: str) -> ssl.SSLContext:
    try:
        if Path(certificates).is_dir():
            return ssl.create_default_context(capath=certificates)
        return ssl.create_default_context(cafile=certificates)
    except OSError as error:
        raise TargetUnavailable(
            f"cannot read the certificates of AWS_CA_BUNDLE, {certificates}: {error.strerror}; correct the path"
        ) from None


def _without_password(proxy: str) -> str:
    parts = urlsplit(proxy)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
