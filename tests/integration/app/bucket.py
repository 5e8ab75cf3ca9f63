"""As much of S3's protocol as the gateway uses, over loopback: what is put can be had, in part, listed and deleted.

It checks that requests are signed, in a header or in the URL, and not that the signature is right.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from xml.sax.saxutils import escape

from fastapi import FastAPI, Request
from fastapi.responses import Response

_SERVED = ("content-type", "cache-control", "content-disposition")


class Bucket:
    """Objects by key, and the requests that came. ``refusing``: a status every request is answered with instead."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.requests: list[str] = []
        self.refusing: int | None = None
        self.app = FastAPI(openapi_url=None)
        self.app.add_api_route(
            "/{bucket}/{key:path}", self._object, methods=["GET", "HEAD", "PUT", "POST", "DELETE"], response_model=None
        )
        self.app.add_api_route("/{bucket}", self._whole, methods=["GET", "POST"], response_model=None)

    async def _whole(self, request: Request, bucket: str) -> Response:
        return await self._object(request, bucket, "")

    async def _object(self, request: Request, bucket: str, key: str) -> Response:
        body = await request.body()
        self.requests.append(f"{request.method} {key}")
        if self.refusing is not None:
            return _xml("<Error><Code>Refused</Code><Message>topsecret</Message></Error>", self.refusing)
        if "authorization" not in request.headers and "X-Amz-Signature" not in request.query_params:
            return _xml("<Error><Code>AccessDenied</Code></Error>", 403)
        if request.method == "PUT":
            self.objects[key] = (body, {name: request.headers[name] for name in _SERVED if name in request.headers})
            return Response(headers={"etag": '"one"'})
        if request.method == "POST":
            keys = re.findall(r"<Key>([^<]*)</Key>", body.decode())
            for gone in keys:
                self.objects.pop(gone, None)
            return _xml(
                f"<DeleteResult>{''.join(f'<Deleted><Key>{key}</Key></Deleted>' for key in keys)}</DeleteResult>"
            )
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return Response(status_code=204)
        return self._listing(request.query_params) if not key else self._found(request, key)

    def _found(self, request: Request, key: str) -> Response:
        if key not in self.objects:
            return _xml("<Error><Code>NoSuchKey</Code></Error>", 404)
        data, served = self.objects[key]
        headers = {**served, "etag": '"one"', "last-modified": format_datetime(datetime.now(UTC), usegmt=True)}
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
        if part is not None:
            headers["content-range"] = f"bytes {part[1]}-{min(int(part[2]), len(data) - 1)}/{len(data)}"
            return Response(data[int(part[1]) : int(part[2]) + 1], status_code=206, headers=headers)
        return Response(data, headers=headers)

    def _listing(self, query: Any) -> Response:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        found, folders = [], set()
        for key, (data, _) in sorted(self.objects.items()):
            rest = key.removeprefix(prefix)
            if not key.startswith(prefix):
                continue
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                found.append((key, len(data)))
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2025-11-21T06:00:00.000Z</LastModified>"
            f'<ETag>"one"</ETag><Size>{size}</Size></Contents>'
            for key, size in found
        )
        common = "".join(f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in sorted(folders))
        return _xml(
            f"<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>{len(found)}</KeyCount>"
            f"{contents}{common}</ListBucketResult>"
        )


def _xml(text: str, status: int = 200) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{text}', status_code=status, media_type="application/xml")
