"""A PostgreSQL server of the tests' own, in a temporary folder, from the installed binaries.

It listens on a socket in its folder only, and keeps nothing on disk in a hurry: what a power cut
would lose is a test.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg import sql

from db.engine import upgrade

_IN_A_HURRY = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "listen_addresses": "",
    "log_min_messages": "fatal",
    # Autovacuum would keep a test's database open while it is dropped.
    "autovacuum": "off",
}
_TEMPLATE = "migrated"

_GUARD = '"$@" & server=$!; read -r _; kill -QUIT $server; wait $server'
"""Ends the server when its input ends: also where the tests were killed."""


def binaries() -> Path | None:
    """The folder of initdb and postgres; None where no server is installed."""
    found = shutil.which("postgres")
    if found and shutil.which("initdb"):
        return Path(found).resolve().parent
    # Debian keeps them off the path, a folder for each version.
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda file: float(file.parts[-3]), default=None)
    return newest.parent if newest else None


class PostgresServer:
    """A running server. ``new_database``: the address of an empty, migrated database."""

    def __init__(self, folder: Path, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._folder = folder
        self._start = start
        self._guard: subprocess.Popen[bytes] | None = None
        self._template_made = False

    def start(self) -> None:
        self._guard = self._start()
        self._wait_until_ready(self._guard)

    def stop(self) -> None:
        """At once, as in a crash: whoever is connected is cut off. Nothing where it is stopped."""
        if self._guard is not None:
            self._guard.communicate()
            self._guard = None

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    def address(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self._folder}"

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Raises RuntimeError with the log where the server ends instead."""
        while process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError):
                return self._execute("SELECT 1")
            time.sleep(0.05)
        raise RuntimeError((self._folder / "log").read_text())

    def empty_database(self) -> str:
        return self._created("template0")

    def new_database(self) -> str:
        if not self._template_made:
            self._execute("CREATE DATABASE {}", _TEMPLATE)
            upgrade(self.address(_TEMPLATE))
            self._template_made = True
        return self._created(_TEMPLATE)

    def drop(self, url: str) -> None:
        name = url.rpartition("?")[0].rpartition("/")[2]
        self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def _created(self, template: str) -> str:
        name = f"test_{secrets.token_hex(6)}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        return self.address(name)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(
            host=str(self._folder), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            # Statements about databases take no parameters; their names are quoted instead.
            composed = sql.SQL(statement)
            connection.execute(composed.format(*(sql.Identifier(name) for name in names)))


@contextlib.contextmanager
def running_server(
    programs: Path, options: Mapping[str, str] = MappingProxyType({})
) -> Iterator[PostgresServer]:
    """A server from the ``programs`` folder, stopped and forgotten afterwards. ``options``: other
    than those of a hurry."""
    # A socket's path must be short, which pytest's own folders are not.
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        owner = _owner()
        if owner is not None:
            shutil.chown(folder, owner)
        data = folder / "data"
        quiet = {**os.environ, "LC_ALL": "C.UTF-8"}
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            env=quiet,
            user=owner,
        )
        given = [f"-c{key}={value}" for key, value in {**_IN_A_HURRY, **options}.items()]
        command = [f"{programs}/postgres", "-D", f"{data}", "-k", name, *given]

        def start() -> subprocess.Popen[bytes]:
            with (folder / "log").open("ab") as log:
                return subprocess.Popen(
                    ["/bin/sh", "-c", _GUARD, "guard", *command],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    env=quiet,
                    user=owner,
                    start_new_session=True,
                )

        server = PostgresServer(folder, start)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _owner() -> str | None:
    """Who runs the server: it refuses to be run by root. None: whoever we are."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("a server needs a user other than root")
