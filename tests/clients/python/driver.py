"""The official Python client, driven from outside: one order per line on standard input, one answer per line out.

Runs unchanged under every version of the client from 1.109 on, in an environment that holds nothing of the gateway.
An order is an object of ``call`` (``generate``, ``edit``, ``edit_json``, ``edit_form``, ``post``), ``base_url``,
``outputs`` (the folder for what comes back), ``fields`` (of the client's method), ``asynchronous``, and for edits
``pictures`` and ``mask`` (paths), ``given_as`` and ``in_list``. The first line out says which client this is.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import openai

CLIENT_LIMIT_S = 40.0
Order = dict[str, Any]


def main() -> None:
    """Answer orders until the input ends."""
    print(json.dumps({"client": "python", "version": openai.__version__}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = asyncio.run(asked_asynchronously(order)) if order.get("asynchronous") else asked(order)
        except openai.OpenAIError as error:
            answer = {"error": told_error(error)}
        except Exception as error:  # noqa: BLE001 - whatever the client trips over is the finding
            answer = {"error": {"class": type(error).__name__, "message": str(error)}}
        print(json.dumps(answer), flush=True)


def asked(order: Order) -> Order:
    """One case with the client that blocks."""
    with openai.OpenAI(**connection(order)) as client:
        answer = call(client, order)
        if order["fields"].get("stream"):
            return {"events": [told_event(number, event, order) for number, event in enumerate(answer)]}
        return told_answer(answer, order)


async def asked_asynchronously(order: Order) -> Order:
    """The same case with the client that awaits."""
    async with openai.AsyncOpenAI(**connection(order)) as client:
        answer = await call(client, order)
        if order["fields"].get("stream"):
            return {"events": [told_event(number, event, order) async for number, event in numbered(answer)]}
        return told_answer(answer, order)


async def numbered(stream: Any) -> Any:
    """``enumerate`` for what is awaited."""
    number = 0
    async for event in stream:
        yield number, event
        number += 1


def connection(order: Order) -> dict[str, Any]:
    """How the client is made: as its users make it, but for retries, which would hide a failure."""
    return {"base_url": order["base_url"], "api_key": "unused", "max_retries": 0, "timeout": CLIENT_LIMIT_S}


def call(client: Any, order: Order) -> Any:
    """The client's method that the order names, with what the order gives it."""
    fields = order["fields"]
    if order["call"] == "generate":
        return client.images.generate(**fields)
    if order["call"] == "edit":
        pictures = [given(path, order["given_as"]) for path in order["pictures"]]
        image = pictures if order.get("in_list") else pictures[0]
        mask = {"mask": given(order["mask"], order["given_as"])} if order.get("mask") else {}
        return client.images.edit(image=image, **mask, **fields)
    images = [{"image_url": data_url(path)} for path in order["pictures"]]
    if order["call"] == "edit_json":
        header = {"Content-Type": "application/json"}
        return client.images.edit(image=[], extra_headers=header, extra_body={"images": images}, **fields)
    if order["call"] == "edit_form":
        return client.images.edit(image=[], extra_body={"images": images}, **fields)
    mask = {"mask": {"image_url": data_url(order["mask"])}} if order.get("mask") else {}
    return client.post("/images/edits", cast_to=openai.types.ImagesResponse, body={"images": images, **mask, **fields})


def given(path: str, way: str) -> Any:
    """A picture as a caller may hold it."""
    file = Path(path)
    if way == "open":
        return file.open("rb")
    if way == "file":
        return file
    if way == "bytes":
        return file.read_bytes()
    memory = io.BytesIO(file.read_bytes())
    if way == "named_memory":
        memory.name = file.name
    return memory


def data_url(path: str) -> str:
    """A picture written out."""
    file = Path(path)
    return f"data:image/{file.suffix[1:]};base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"


def told_answer(answer: Any, order: Order) -> Order:
    """What the client made of an answer; the images beside, as files."""
    document: Order = answer.model_dump()
    images = [told_image(number, image, order) for number, image in enumerate(document.pop("data") or [])]
    return {"class": type(answer).__name__, "images": images, **document}


def told_image(number: int, image: Order, order: Order) -> Order:
    """One image of an answer: where its bytes lie now, and how they came."""
    url = image.get("url")
    if image.get("b64_json"):
        return {"file": kept(number, base64.b64decode(image["b64_json"], validate=True), order), "url": url}
    with urllib.request.urlopen(str(url), timeout=CLIENT_LIMIT_S) as reply:
        return {"file": kept(number, reply.read(), order), "url": url, "content_type": reply.headers["content-type"]}


def told_event(number: int, event: Any, order: Order) -> Order:
    """One event of a stream; its image beside, as a file."""
    document: Order = event.model_dump()
    image = {"b64_json": document.pop("b64_json", None), "url": document.get("url")}
    return {"class": type(event).__name__, **document, **told_image(number, image, order)}


def told_error(error: openai.OpenAIError) -> Order:
    """What a caller can read off the client's error."""
    names = {"status": "status_code", "code": "code", "param": "param", "type": "type", "request_id": "request_id"}
    said = {name: getattr(error, attribute, None) for name, attribute in names.items()}
    return {"class": type(error).__name__, "message": getattr(error, "message", str(error)), **said}


def kept(number: int, data: bytes, order: Order) -> str:
    """Write an image down; the path."""
    file = Path(order["outputs"]) / f"image-{number}"
    file.write_bytes(data)
    return str(file)


if __name__ == "__main__":
    main()
