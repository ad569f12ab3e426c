"""Files over the engine of the tests, with empty buckets for each test.

With ``CITYVERSE_TESTS_S3`` naming the address of another service that speaks S3, and the keys of
it in ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``, files lie there (docs/engines.md). Its
buckets are emptied.
"""

import os

import pytest
from helpers import settings_for

from cityverse.data import client, media, provision
from cityverse.data.media import MediaRepository, MediaStore
from cityverse.data.objects import QUARANTINE
from cityverse.data.registry import BUCKETS
from cityverse.data.uploads import Tickets, Uploads
from cityverse.domain.media import MediaPlace

SECRET = b"a secret of the tests, 32 bytes."


@pytest.fixture(scope="session")
def objects(engine_folder):
    settings = settings_for(engine_folder)
    if "CITYVERSE_TESTS_S3" in os.environ:
        settings = settings_for(
            engine_folder,
            CITYVERSE_STORE="aws",
            AWS_ENDPOINT_URL_S3=os.environ["CITYVERSE_TESTS_S3"],
            AWS_ACCESS_KEY_ID=os.environ["AWS_ACCESS_KEY_ID"],
            AWS_SECRET_ACCESS_KEY=os.environ["AWS_SECRET_ACCESS_KEY"],
        )
        s3 = client.s3_client(settings)
        for _ in range(2):  # the second time nothing is missing
            steps = [s for b in BUCKETS for s in provision._bucket_steps(s3, b, settings)]
            for step in steps:
                step.take()
        assert steps == []
        s3.close()
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
