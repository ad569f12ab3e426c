"""Tile sets in a bucket, to be served to browsers by S3 and a CDN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cityverse.data.client import mapped, s3_client
from cityverse.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_FOREVER = "public, max-age=31536000, immutable"
_TILE = "application/vnd.mapbox-vector-tile"
# Pages of any origin may read tiles: they are the same for everybody.
_CORS: Any = {
    "ID": "cityverse-tiles",
    "AllowedMethods": ["GET", "HEAD"],
    "AllowedOrigins": ["*"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 86400,
}


class TileBucket:
    """Writes below a prefix of a bucket; safe to share by threads."""

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix.strip("/")

    @property
    def place(self) -> str:
        """Bucket and prefix."""
        return "/".join(part for part in (self._bucket, self._prefix) if part)

    def _key(self, path: str) -> str:
        return "/".join(part for part in (self._prefix, path) if part)

    @mapped
    def put_tile(self, path: str, gzipped: bytes) -> None:
        """Write a tile that never changes."""
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._key(path),
            Body=gzipped,
            ContentType=_TILE,
            ContentEncoding="gzip",
            CacheControl=_FOREVER,
        )

    @mapped
    def put_json(self, path: str, data: bytes, seconds: int) -> None:
        """Write a description that may be kept for so long."""
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._key(path),
            Body=data,
            ContentType="application/json",
            CacheControl=f"public, max-age={seconds}",
        )

    @mapped
    def paths(self, folder: str) -> set[str]:
        """The paths of all objects below a folder."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._key(folder) + "/"
        )
        start = len(self._key(""))
        found = {item["Key"] for page in pages for item in page.get("Contents", [])}
        return {key[start:].lstrip("/") for key in found}

    @mapped
    def let_pages_read(self) -> None:
        """Let pages of other origins fetch; the other rules of the bucket stay."""
        try:
            rules: list[Any] = self._client.get_bucket_cors(Bucket=self._bucket)["CORSRules"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "NoSuchCORSConfiguration":
                raise
            rules = []
        if _CORS["ID"] not in {rule.get("ID") for rule in rules}:
            self._client.put_bucket_cors(
                Bucket=self._bucket, CORSConfiguration={"CORSRules": [*rules, _CORS]}
            )


def connect(settings: Settings, bucket: str, prefix: str) -> TileBucket:
    """The bucket for tiles in the store of these settings; raises StoreError."""
    return TileBucket(s3_client(settings), bucket, prefix)
