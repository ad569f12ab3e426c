"""The objects of the store: the few calls to S3 that media need, errors mapped once.

A key says by its prefix in which bucket it lies, so that nothing stores a bucket's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cityverse.data.client import mapped, s3_client
from cityverse.data.registry import BUCKETS
from cityverse.errors import NotFound
from cityverse.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

QUARANTINE = "quarantine/"
_QUARANTINE_DAYS = 1
# The sweep is quicker; this holds where nobody runs a worker.
_DELETED_DAYS = 60
_PIECE = 256 * 1024
_LISTED_MOST = 1000
_ABSENT = {"NoSuchKey", "NoSuchVersion", "404"}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, or the mark that it was deleted (``size`` 0)."""

    key: str
    id: str
    size: int
    modified: datetime
    latest: bool
    deletion: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a listing goes on: after this version of this key."""

    key: str = ""
    version: str = ""


class Objects:
    """Reading, writing, deleting and listing objects; safe to share by threads."""

    def __init__(self, client: S3Client, buckets: Mapping[str, str]) -> None:
        """``buckets`` has the bucket's name for each prefix of keys."""
        self.client = client
        self._buckets = buckets

    def bucket_of(self, key: str) -> str:
        """The bucket a key lies in; KeyError for a prefix the registry does not have."""
        return self._buckets[key.partition("/")[0] + "/"]

    @mapped
    def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object, as a new version where there is one."""
        self.client.put_object(
            Bucket=self.bucket_of(key), Key=key, Body=body, ContentType=content_type
        )

    @mapped
    def put_parts(self, key: str, parts: Iterator[bytes], content_type: str) -> None:
        """Write an object from parts of 5 MB or more each, but for the last; at most 10,000."""
        where: Any = {"Bucket": self.bucket_of(key), "Key": key}
        upload = self.client.create_multipart_upload(**where, ContentType=content_type)
        where["UploadId"] = upload["UploadId"]
        done: list[Any] = []
        try:
            for number, part in enumerate(parts, 1):
                answer = self.client.upload_part(**where, PartNumber=number, Body=part)
                done.append({"PartNumber": number, "ETag": answer["ETag"]})
            self.client.complete_multipart_upload(**where, MultipartUpload={"Parts": done})
        except BaseException:
            self.client.abort_multipart_upload(**where)
            raise

    @mapped
    def read(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """These bytes of an object, or all of it; raises NotFound."""
        answer = self._answer(key, start, length, version)
        with closing(answer["Body"]) as body:
            data = bytes(body.read())
        # The embedded engine gives the whole of a version, whatever part is asked for.
        if length is not None and "ContentRange" not in answer:
            data = data[start : start + length]
        return data

    def stream(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """These bytes piece by piece; raises NotFound at once. Close it when done."""
        return self._pieces(mapped(self._answer)(key, start, length, None)["Body"])

    @mapped
    def download(self, key: str) -> tuple[str, Iterator[bytes]]:
        """Content type and all bytes of an object, piece by piece; raises NotFound at once."""
        answer = self._answer(key, 0, None, None)
        return answer.get("ContentType", "application/octet-stream"), self._pieces(answer["Body"])

    @mapped
    def size(self, key: str) -> int | None:
        """How many bytes an object has; None when there is none."""
        try:
            return self.client.head_object(Bucket=self.bucket_of(key), Key=key)["ContentLength"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _ABSENT:
                return None
            raise

    @staticmethod
    def _pieces(body: Any) -> Iterator[bytes]:
        with closing(body):
            yield from body.iter_chunks(_PIECE)

    def _answer(self, key: str, start: int, length: int | None, version: str | None) -> Any:
        asked: Any = {"Bucket": self.bucket_of(key), "Key": key}
        if version is not None:
            asked["VersionId"] = version
        if length is not None:
            asked["Range"] = f"bytes={start}-{start + length - 1}"
        try:
            return self.client.get_object(**asked)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _ABSENT:
                raise NotFound(f"there is no object {key}") from error
            raise

    @mapped
    def delete(self, key: str, version: str | None = None) -> None:
        """Delete an object, whose versions stay; or one of its versions for good."""
        asked: Any = {} if version is None else {"VersionId": version}
        self.client.delete_object(Bucket=self.bucket_of(key), Key=key, **asked)

    def purge(self, prefix: str, *, exact: bool = True) -> None:
        """Delete every version of the object with this key, or of all keys that begin so."""
        place: Place | None = Place()
        while place is not None:
            versions, place = self.versions(prefix, place)
            for version in versions:
                if not exact or version.key == prefix:
                    self.delete(version.key, version.id)

    def restore(self, key: str) -> None:
        """Bring a deleted object back; raises NotFound when no version is left.

        An object that is there stays as it is.
        """
        versions = [v for v in self.versions(key)[0] if v.key == key]
        if not any(not v.deletion for v in versions):
            raise NotFound(f"no version of {key} is left")
        for version in versions:
            if version.deletion:
                self.delete(key, version.id)

    @mapped
    def versions(
        self, prefix: str, after: Place = Place(), *, most: int = _LISTED_MOST
    ) -> tuple[list[Version], Place | None]:
        """Up to ``most`` versions by key, and where to go on; None at the end."""
        markers = {"KeyMarker": after.key, "VersionIdMarker": after.version}
        asked: Any = {name: value for name, value in markers.items() if value}
        answer = self.client.list_object_versions(
            Bucket=self.bucket_of(prefix), Prefix=prefix, MaxKeys=most, **asked
        )
        found = [_version(v, v["Size"], deletion=False) for v in answer.get("Versions", [])]
        found += [_version(v, 0, deletion=True) for v in answer.get("DeleteMarkers", [])]
        found.sort(key=lambda v: v.key)
        if not answer.get("IsTruncated"):
            return found, None
        return found, Place(answer["NextKeyMarker"], answer.get("NextVersionIdMarker", ""))

    def presigned(self, key: str, seconds: int, **answer: str) -> str:
        """An address at which anybody can read the object for so long.

        ``answer`` holds ResponseContentType and its siblings.
        """
        return self.client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self.bucket_of(key), "Key": key, **answer},
            ExpiresIn=seconds,
        )

    def presigned_put(self, key: str, size: int, seconds: int) -> str:
        """An address at which anybody can write an object of exactly ``size`` bytes.

        The size is signed as a header, so that a body of any other is refused by S3.
        """
        return self.client.generate_presigned_url(
            "put_object",
            Params={"Bucket": self.bucket_of(key), "Key": key, "ContentLength": size},
            ExpiresIn=seconds,
            HttpMethod="PUT",
        )


def connect(settings: Settings) -> Objects:
    """The objects of the store of these settings; raises StoreError."""
    buckets = {p: getattr(settings, b.setting) for b in BUCKETS for p in b.prefixes}
    buckets[QUARANTINE] = settings.bucket_videos
    return Objects(s3_client(settings), buckets)


def public_addresses(settings: Settings) -> tuple[str, ...]:
    """Where ``presigned`` addresses lead: the buckets on AWS; nowhere where files are streamed."""
    if settings.store == "embedded" or settings.s3_endpoint:
        return ()
    client = s3_client(settings)
    try:
        buckets = sorted({getattr(settings, bucket.setting) for bucket in BUCKETS})
        return tuple(f"{client.meta.endpoint_url}/{bucket}/" for bucket in buckets)
    finally:
        client.close()


def lifecycle_rules(prefixes: Sequence[str]) -> list[dict[str, Any]]:
    """What S3 itself should delete in a bucket with these prefixes, and after how many days."""
    rules = [
        _rule(f"deleted-{p.rstrip('/')}", p, NoncurrentVersionExpiration=_days(_DELETED_DAYS))
        for p in prefixes
    ]
    if "media-posts/" in prefixes:
        rules.append(
            _rule(
                "quarantine",
                QUARANTINE,
                Expiration={"Days": _QUARANTINE_DAYS},
                NoncurrentVersionExpiration=_days(_QUARANTINE_DAYS),
            )
        )
    abort = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
    return [*rules, _rule("unfinished", "", **abort)]


def _rule(name: str, prefix: str, **what: Any) -> dict[str, Any]:
    return {"ID": f"cityverse-{name}", "Status": "Enabled", "Filter": {"Prefix": prefix}, **what}


def _days(number: int) -> dict[str, int]:
    return {"NoncurrentDays": number}


def _version(entry: Any, size: int, *, deletion: bool) -> Version:
    return Version(
        entry["Key"],
        entry["VersionId"],
        size,
        entry["LastModified"],
        latest=entry["IsLatest"],
        deletion=deletion,
    )
