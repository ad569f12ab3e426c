"""Files over the engine of the tests, with empty buckets for each test."""

import pytest

from cityverse.data import media
from cityverse.data.media import MediaRepository, MediaStore
from cityverse.data.objects import QUARANTINE
from cityverse.data.uploads import Tickets, Uploads
from cityverse.domain.media import MediaPlace

SECRET = b"a secret of the tests, 32 bytes."


@pytest.fixture(scope="session")
def objects(engine_folder):
    from helpers import settings_for

    settings = settings_for(engine_folder)
    found = media.objects.connect(settings)
    yield found
    found.client.close()


@pytest.fixture
def media_store(objects, store):
    for prefix in (*MediaPlace, QUARANTINE):
        objects.purge(prefix, exact=False)
    return MediaStore(MediaRepository(store.dynamo), objects)


@pytest.fixture
def uploads(media_store):
    return Uploads(media_store, Tickets(SECRET), bytes_most=40_000_000)
