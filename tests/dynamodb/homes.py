"""A home directory with AWS configuration of its own, helpers that hand out credentials, and a small STS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

# Each answer has a key of its own, `name` and a number; while the file `locked` is there it refuses, and while `stale`
# is there what it hands out has expired.
_HELPER = """
import datetime, json, pathlib, sys, time
here, name, lifetime_s = pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
if (here / "locked").exists():
    sys.exit("the vault\\nis locked")
number = len(list(here.glob("handed-*")))
(here / f"handed-{time.monotonic_ns()}").touch()
seconds = -60 if (here / "stale").exists() else lifetime_s
until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
print(json.dumps({"Version": 1, "AccessKeyId": f"{name}{number:04}", "SecretAccessKey": f"secret-of-{name}",
                  "SessionToken": f"token-of-{name}", "Expiration": until.isoformat()}))
"""


@dataclass(frozen=True, slots=True)
class Home:
    """Where `HOME` and `AWS_CONFIG_FILE` of a process under test point to."""

    path: Path

    def configure(self, text: str) -> None:
        """Add to the configuration file."""
        with (self.path / "config").open("a") as file:
            file.write(text + "\n")

    def environment(self, **more: str) -> dict[str, str]:
        """This process's environment without anything of AWS or proxies, and with this home; `more` is added."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AWS_") and not name.lower().endswith("_proxy")
        }
        here = {
            "HOME": str(self.path),
            "AWS_CONFIG_FILE": str(self.path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.path / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return kept | here | more

    def verb(
        self, verb: str, *arguments: str, timeout: float = 120, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """A verb of the harness, run to its end in this home."""
        return subprocess.run(
            [sys.executable, "-m", f"harness.{verb}", *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
        )

    def helped(self, profile: str, name: str, lifetime_s: float) -> None:
        """A profile with a `credential_process` whose credentials live so long."""
        helper = self.path / "helper.py"
        helper.write_text(_HELPER)
        command = f'"{sys.executable}" "{helper}" "{self.path}" {name} {lifetime_s}'
        self.configure(f"[profile {profile}]\ncredential_process = {command}")

    @property
    def handed_out(self) -> int:
        """How often the helper was asked and answered."""
        return len(list(self.path.glob("handed-*")))

    def signed_in(self, session: str, expires: datetime, token: str) -> None:
        """A cached token of an SSO session."""
        import hashlib

        cache = self.path / ".aws" / "sso" / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        cached = {
            "startUrl": "https://example.invalid/start",
            "region": "us-west-2",
            "accessToken": token,
            "expiresAt": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        (cache / f"{hashlib.sha1(session.encode()).hexdigest()}.json").write_text(json.dumps(cached))


@dataclass(slots=True)
class Sts:
    """An STS that grants every role: its URL, and what it was asked, by action."""

    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def actions(self) -> list[str]:
        """The actions asked for, in order."""
        return [request["Action"] for request in self.asked]


@contextmanager
def sts(key_id: str, secret: str, token: str) -> Iterator[Sts]:
    """An STS whose roles have these credentials, for an hour."""
    found = Sts()
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            request = {name: values[0] for name, values in parse_qs(body).items()}
            found.asked.append(request | {"authorization": self.headers.get("Authorization", "")})
            action = request["Action"]
            answer = (
                f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>'
                f"<Credentials><AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
                f"<SessionToken>{token}</SessionToken><Expiration>{until}</Expiration></Credentials>"
                "<AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId><Arn>arn:aws:sts::123456789012:"
                f"assumed-role/x/x</Arn></AssumedRoleUser></{action}Result></{action}Response>"
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield found
        finally:
            server.shutdown()
            thread.join(10)
