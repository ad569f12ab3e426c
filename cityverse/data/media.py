"""Uploaded files: table Media and the objects that belong to it.

Objects are written before their item, and deleted after it: whatever is interrupted
leaves at most an object without an item, which ``sweep`` deletes a day later.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from cityverse.data import images, objects
from cityverse.data.client import Dynamo, dynamodb_client
from cityverse.data.documents import check_pdf
from cityverse.data.objects import QUARANTINE, Objects, Place, Version
from cityverse.data.repository import LeafRepository
from cityverse.domain.media import (
    Media,
    MediaKind,
    MediaPlace,
    MediaState,
    document_name,
    id_of_key,
    new_media_id,
    thumbnail_of,
)
from cityverse.errors import NotFound
from cityverse.settings import Settings

log = logging.getLogger(__name__)

RESTORABLE = timedelta(days=30)
"""For so long a deleted file can be restored."""

_ORPHAN = timedelta(days=1)
_SWEPT_MOST = 1000


class MediaRepository(LeafRepository[Media]):
    """What is known of each file."""

    table = "Media"
    entity = Media

    def person_of(self, entity: Media) -> str:
        """Its owner."""
        return entity.owner


@dataclass(frozen=True, slots=True)
class MediaStore:
    """Files with their objects; safe to share by threads."""

    items: MediaRepository
    objects: Objects

    def add_image(
        self,
        owner: str,
        place: MediaPlace,
        data: bytes,
        *,
        public: bool = True,
        viewers: Iterable[str] = (),
    ) -> Media:
        """Store a picture, encoded anew; raises InvalidField when it is refused."""
        picture = images.reencode(data)
        media = Media(
            new_media_id(),
            owner,
            MediaKind.IMAGE,
            place,
            "image/webp",
            len(picture.full),
            datetime.now(UTC),
            width=picture.width,
            height=picture.height,
            public=public,
            viewers=frozenset(viewers),
        )
        media.check()
        self.objects.put(media.key, picture.full, media.content_type)
        self.objects.put(thumbnail_of(media.key), picture.thumbnail, media.content_type)
        return self.items.create(media)

    def add_pdf(
        self,
        owner: str,
        name: str,
        data: bytes,
        *,
        public: bool = True,
        viewers: Iterable[str] = (),
    ) -> Media:
        """Store a document as it is; raises InvalidField when it is refused."""
        check_pdf(data)
        media = Media(
            new_media_id(),
            owner,
            MediaKind.PDF,
            MediaPlace.POST,
            "application/pdf",
            len(data),
            datetime.now(UTC),
            name=document_name(name),
            public=public,
            viewers=frozenset(viewers),
        )
        media.check()
        self.objects.put(media.key, data, media.content_type)
        return self.items.create(media)

    def seen_by(self, media_id: str, viewer: str | None) -> Media:
        """The file, if this person may see it; else NotFound, as for one that is not there."""
        media = self.items.find(media_id)
        if media is None or not media.visible_to(viewer):
            raise NotFound(f"there is no file {media_id}")
        return media

    def read(self, media: Media, *, thumbnail: bool = False) -> bytes:
        """All bytes of a file, or of its thumbnail."""
        return self.objects.read(thumbnail_of(media.key) if thumbnail else media.key)

    def remove(self, media: Media) -> Media:
        """Delete a file so that it can be restored for 30 days.

        Raises VersionConflict when it changed since it was read. Repeating finishes what
        was interrupted.
        """
        if media.state is not MediaState.DELETED:
            gone = dataclasses.replace(media, state=MediaState.DELETED, deleted=datetime.now(UTC))
            media = self.items.replace(media, gone)
        for key in media.keys:
            self.objects.delete(key)
        return media

    def restore(self, media_id: str) -> Media:
        """Bring a deleted file back; raises NotFound when it is too late."""
        media = self.items.get(media_id)
        for key in media.keys:
            self.objects.restore(key)
        if media.state is MediaState.READY:
            return media
        return self.items.replace(
            media, dataclasses.replace(media, state=MediaState.READY, deleted=None)
        )

    def erase(self, media: Media) -> None:
        """Delete a file for good, with all its versions; raises VersionConflict."""
        media = self.remove(media)
        for key in media.keys:
            self.objects.purge(key)
        self.items.delete(media)

    def sweep(self, now: datetime, *, most: int = _SWEPT_MOST) -> int:
        """Delete what belongs to nothing any more; answers with how many objects.

        These are: uploads begun more than a day ago, objects without an item, and what
        was deleted more than 30 days ago. Looks at ``most`` versions of each prefix and
        goes on from there the next time. Objects with keys that are not ours stay.
        """
        swept = 0
        for prefix in (*MediaPlace, QUARANTINE):
            place = self._sweeps_from(prefix)
            versions, after = self.objects.versions(prefix, place, most=most)
            if prefix == QUARANTINE:
                swept += self._empty_quarantine(versions, now)
            else:
                swept += self._sweep(versions, now)
            self._sweeps_on(prefix, after)
        return swept

    def _sweeps_from(self, prefix: str) -> Place:
        row = self.items.dynamo.get("Meta", {"id": f"sweep#{prefix}"})
        return Place() if row is None else Place(row["key"], row.get("version", ""))

    def _sweeps_on(self, prefix: str, after: Place | None) -> None:
        row = {"id": f"sweep#{prefix}"}
        if after is None:
            self.items.dynamo.delete("Meta", row)
        else:
            self.items.dynamo.put("Meta", {**row, "key": after.key, "version": after.version})

    def _empty_quarantine(self, versions: Iterable[Version], now: datetime) -> int:
        old = [v for v in versions if now - v.modified > _ORPHAN]
        for version in old:
            self.objects.delete(version.key, version.id)
        return len(old)

    def _sweep(self, versions: Iterable[Version], now: datetime) -> int:
        latest = [v for v in versions if v.latest and id_of_key(v.key)]
        items = self.items.find_many(id_of_key(v.key) or "" for v in latest)
        swept = 0
        for media_id, group in groupby(latest, lambda v: id_of_key(v.key) or ""):
            media = items.get(media_id)
            if media is not None and media.state is MediaState.READY:
                continue
            for version in group:
                swept += self._sweep_one(version, now)
            if media is not None and media.deleted and now - media.deleted > RESTORABLE:
                self.erase(media)
        return swept

    def _sweep_one(self, version: Version, now: datetime) -> int:
        age = now - version.modified
        if version.deletion and age > RESTORABLE:
            self.objects.purge(version.key)
        elif not version.deletion and age > _ORPHAN:
            log.info("deleting %s, which belongs to nothing", version.key)
            self.objects.delete(version.key)
        else:
            return 0
        return 1


def connect(settings: Settings) -> MediaStore:
    """The files of the store of these settings; raises StoreError."""
    return MediaStore(MediaRepository(Dynamo(dynamodb_client(settings))), objects.connect(settings))
