from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine_fixture import engine_endpoint  # noqa: F401

from cityverse.engine.launch import EngineProcess, start


@pytest.fixture
def start_engine(tmp_path: Path) -> Iterator[Callable[..., EngineProcess]]:
    """Starts engines, by default on one folder of the test; none outlives it."""
    engines: list[EngineProcess] = []

    def starter(data_dir: Path = tmp_path, port: int = 0) -> EngineProcess:
        engines.append(start(data_dir, port))
        return engines[-1]

    yield starter
    for engine in engines:
        with suppress(ProcessLookupError):
            engine.process.kill()
        engine.process.wait()
