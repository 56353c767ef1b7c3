"""A Ray cluster of several nodes on this machine, and an S3-compatible server on loopback."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from typing import Any, Self

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "4",
    "RAY_health_check_initial_delay_ms": "1000",
}


@contextlib.contextmanager
def small_cluster(nodes: int, *, cpus: int = 2) -> Iterator[Any]:
    """A cluster with *nodes* nodes of *cpus* cores; the first is the head. Yields ``ray.cluster_utils.Cluster``."""
    os.environ.update(_QUIET)
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=_node(cpus))
    try:
        for _ in range(nodes - 1):
            cluster.add_node(**_node(cpus))
        yield cluster
    finally:
        cluster.shutdown()


def _node(cpus: int) -> dict[str, Any]:
    return {"num_cpus": cpus, "object_store_memory": 100 << 20, "include_dashboard": False}


class S3:
    """A server that speaks S3 on loopback, with one bucket; while it runs, the environment names it and a made-up key."""

    def __init__(self) -> None:
        self.bucket = f"evidence-{secrets.token_hex(3)}"
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> Self:
        import logging

        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self._server = ThreadedMotoServer("127.0.0.1", 0)
        self._server.start()
        host, port = self._server.get_host_and_port()
        values = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        import s3fs

        s3fs.S3FileSystem().mkdir(self.bucket)
        return self

    def url(self, prefix: str) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self.bucket}/{prefix}"

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
