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

    def new_bucket(self, name: str) -> str:
        """The address of an empty bucket, as the settings take it."""
        fsspec.filesystem("s3").mkdir(name)
        return f"s3://{name}/footage"


@contextlib.contextmanager
def running_s3() -> Iterator[S3Server]:
    """The server, and in the environment what is needed to reach it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    reached = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with mock.patch.dict(os.environ, reached):
        yield S3Server(reached["AWS_ENDPOINT_URL"])
    server.stop()
