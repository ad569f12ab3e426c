"""An engine for a whole test run, and boto3 clients that reach one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config

from cityverse.engine.launch import Endpoint, start


@pytest.fixture(scope="session")
def engine_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """An empty engine in a temporary folder; give tables and buckets names of your own."""
    engine = start(tmp_path_factory.mktemp("engine"))
    yield engine.endpoint
    assert engine.stop() == 0


@contextmanager
def client(
    endpoint: Endpoint, service: str, *, access_key: str = "", secret_key: str = ""
) -> Iterator[Any]:
    """A boto3 client of ``endpoint`` that never retries; other keys than its own if given."""
    made = boto3.client(
        service,
        endpoint_url=endpoint.endpoint,
        aws_access_key_id=access_key or endpoint.access_key,
        aws_secret_access_key=secret_key or endpoint.secret_key,
        region_name=endpoint.region,
        config=Config(
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            connect_timeout=2,
            read_timeout=20,
            max_pool_connections=16,
        ),
    )
    try:
        yield made
    finally:
        made.close()
