"""Stores to carry data between, with empty buckets; those of the files tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "media"))

from cityverse.data import objects as object_store
from cityverse.data.media import MediaRepository, MediaStore
from cityverse.data.objects import QUARANTINE
from cityverse.domain.media import MediaPlace


@pytest.fixture(scope="session")
def objects(engine_folder):
    from helpers import settings_for

    found = object_store.connect(settings_for(engine_folder))
    yield found
    found.client.close()


@pytest.fixture
def media_store(objects, store):
    for prefix in (*MediaPlace, QUARANTINE):
        objects.purge(prefix, exact=False)
    return MediaStore(MediaRepository(store.dynamo), objects)
