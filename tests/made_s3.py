"""A store that speaks like S3, on loopback, for the length of the tests."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

import fsspec
from moto.server import ThreadedMotoServer


@dataclass(frozen=True)
class S3Server:
    address: str
    _servers: list[ThreadedMotoServer]

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """It does not answer; afterwards it holds what it held."""
        stopped = self._servers.pop()
        host, port = stopped.get_host_and_port()
        stopped.stop()
        try:
            yield
        finally:
            self._servers.append(_started(host, port))

    def new_bucket(self, name: str) -> str:
        """The address of an empty bucket, as the settings take it."""
        fsspec.filesystem("s3").mkdir(name)
        return f"s3://{name}/footage"


def _started(host: str, port: int) -> ThreadedMotoServer:
    server = ThreadedMotoServer(ip_address=host, port=port, verbose=False)
    server.start()
    return server


@contextlib.contextmanager
def running_s3() -> Iterator[S3Server]:
    """The server, and in the environment what is needed to reach it."""
    server = _started("127.0.0.1", 0)
    servers = [server]
    host, port = server.get_host_and_port()
    reached = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    # A file system is made once for its arguments, and the address is none of them.
    forget = fsspec.get_filesystem_class("s3").clear_instance_cache
    with mock.patch.dict(os.environ, reached):
        forget()
        yield S3Server(reached["AWS_ENDPOINT_URL"], servers)
    forget()
    servers.pop().stop()
