"""A district of the generated city, built once for all tests of the map."""

from __future__ import annotations

from pathlib import Path

import pytest

from cityverse.map.build import build
from cityverse.map.features import Report

# South, west, north, east: the Cité and some blocks on both banks.
DISTRICT = (48.8515, 2.3430, 48.8575, 2.3520)


@pytest.fixture(scope="session")
def district(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """A tile set of a few hundred generated buildings, and the report of its making."""
    output = tmp_path_factory.mktemp("district") / "sample.mbtiles"
    return output, build("sample", output, bbox=DISTRICT)
