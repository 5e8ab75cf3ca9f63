"""Forms that are not what they should be."""

from __future__ import annotations

from collections.abc import Iterator

from tests.hostile.case import BOUNDARY, END, PROMPT, REFUSED, TAKEN, Case, Verdict, form, part
from tests.hostile.pngs import png

FILE = part("image", png(), filename="fox.png", media_type="image/png")
BROKEN: Verdict = (400, "invalid_multipart")
TYPE = "multipart/form-data; boundary="


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _boundaries()
    yield from _parts()
    yield from _headers()
    yield from _names()
    yield from _types()
    whole = form(FILE)
    for step in range(24):
        cut = whole[: (len(whole) - 3) * step // 24]
        yield Case(f"form cut to {len(cut)} bytes", cut, (BROKEN, REFUSED))
    for chunk in (1, 2, 7, 64):
        yield Case(f"form in chunks of {chunk} bytes", whole, (TAKEN,), chunk=chunk)


def _boundaries() -> Iterator[Case]:
    plain = form(FILE)
    for name, content_type in (
        ("form without a boundary", "multipart/form-data"),
        ("form with an empty boundary", TYPE),
        ("form with an empty boundary in quotes", TYPE + '""'),
        ("form with a boundary of 201 characters", TYPE + "b" * 201),
        ("form with a boundary of control characters", TYPE + "a\x01b"),
        ("form with another boundary", TYPE + "another"),
        ("form with half its boundary", TYPE + BOUNDARY[:-1]),
        ("form with a quote in its boundary that does not end", TYPE + '"' + BOUNDARY),
        ("form with two boundaries", f"{TYPE}another; boundary={BOUNDARY}"),
    ):
        yield Case(name, plain, (BROKEN, TAKEN, (400, "invalid_request")), content_type=content_type)
    for length in (70, 71, 200):
        boundary = "b" * length
        yield Case(
            f"form with a boundary of {length} characters",
            plain.replace(BOUNDARY.encode(), boundary.encode()),
            (TAKEN,),
            content_type=TYPE + boundary,
        )
    dashes = "-" * 200
    body = plain.replace(BOUNDARY.encode(), dashes.encode())
    yield Case("form with a boundary of dashes", body, (TAKEN, BROKEN), content_type=TYPE + dashes)
    yield Case(
        "form of dashes", b"-" * 3_000_000, (BROKEN, (400, "missing_required_parameter")), content_type=TYPE + dashes
    )
    yield Case("form of boundaries", f"--{BOUNDARY}\r\n".encode() * 10_000, (BROKEN,))
    yield Case("form that ends at once", END, ((400, "missing_required_parameter"),))
    yield Case("form with line feeds alone", plain.replace(b"\r\n", b"\n"), (BROKEN, TAKEN))
    yield Case("form with carriage returns alone", plain.replace(b"\r\n", b"\r"), (BROKEN,))
    yield Case("form with a preface", b"This is a message.\r\n" + plain, (TAKEN, BROKEN))
    yield Case("form with 2 MB of preface", b"x" * 2_000_000 + b"\r\n" + plain, (TAKEN, BROKEN))
    yield Case("form with something behind its end", plain + b"GET / HTTP/1.1\r\n\r\n" * 1000, (TAKEN, BROKEN))
    yield Case("form with another behind its end", plain + plain, (TAKEN, BROKEN))
    yield Case("form that is empty", b"", (BROKEN,))
    yield Case("form of zeros", bytes(200_000), (BROKEN,))


def _parts() -> Iterator[Case]:
    yield Case("form of 10,000 parts", form(part("x", b"1") * 10_000))
    yield Case("form of 10,000 files", form(part("x", b"1", filename="a") * 10_000))
    yield Case("form of 900 fields", form(FILE, *(part(f"x{place}", b"1") for place in range(900))), (TAKEN,))
    inner = part("a", b"b").replace(BOUNDARY.encode(), b"inner")
    mixed = part("image", inner, media_type="multipart/mixed; boundary=inner")
    yield Case("form in a form", form(mixed))
    yield Case("form with 3 MB of text", form(FILE, part("x", b"y" * 3_000_000)), (TAKEN,))
    yield Case("form with 5 MB of text", form(FILE, part("x", b"y" * 5_000_000)), ((413, "request_too_large"),))
    many = form(FILE, *[part("x", b"y" * 60_000)] * 90)
    yield Case("form with 5 MB of text in 90 parts", many, ((413, "request_too_large"),))
    yield Case("form with a prompt of 40,000 characters", part("prompt", b"y" * 40_000) + FILE + END)
    yield Case(
        "form with a file for a prompt", part("prompt", png(), filename="p.png", media_type="image/png") + FILE + END
    )
    yield Case("form with two prompts", form(PROMPT, FILE))
    yield Case("form with two models", form(FILE, part("model", b"a"), part("model", b"b")))
    for value in (b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80", b"fox\xff"):
        yield Case(f"form with the prompt {value!r}", part("prompt", value) + FILE + END)
    for value in (b"\0", b"a\0b", b"\x1b[2J", "\u202e\u0007".encode()):
        yield Case(f"form with the prompt {value!r}", part("prompt", value) + FILE + END, (TAKEN, REFUSED))


def _headers() -> Iterator[Case]:
    flood = b"".join(b"\r\nX-%d: y" % line for line in range(100))
    yield Case("part of 100 header lines", form(part("image", b"x", more=flood)), (BROKEN,))
    yield Case(
        "part with a header line of 100 KB", form(part("image", b"x", more=b"\r\nX: " + b"y" * 100_000)), (BROKEN,)
    )
    for line in (b"no colon", b": no name", b"X\0: y", b"X: \0", b"\xff: y", b" folded"):
        yield Case(
            f"part with the header line {line!r}",
            form(part("image", png(), more=b"\r\n" + line)),
            (BROKEN, TAKEN, REFUSED),
        )
    bare = f"--{BOUNDARY}\r\n".encode()
    yield Case("part without a header", PROMPT + bare + b"\r\nfox\r\n" + END, (BROKEN, REFUSED))
    yield Case("part without a disposition", PROMPT + bare + b"X: y\r\n\r\nfox\r\n" + END, (BROKEN, REFUSED))
    for said in (
        b"attachment", b"form-data", b'form-data; name=""', b"form-data; name", b'form-data; name="a',
        b'form-data; name="a"; name="b"',
        b"form-data; name*=UTF-8''%ff", b'form-data; name="\xff\xfe"', b'form-data; name="a\\"b"',
        b"form-data; " + b"a=b; " * 500,
    ):  # fmt: skip
        body = PROMPT + FILE + bare + b"Content-Disposition: " + said + b"\r\n\r\nx\r\n" + END
        yield Case(f"part with the disposition {said[:40]!r}", body, (BROKEN, REFUSED, TAKEN))
    for coding in (b"base64", b"quoted-printable", b"7bit"):
        coded = part("image", png(), filename="f.png", more=b"\r\nContent-Transfer-Encoding: " + coding)
        yield Case(f"part in {coding.decode()}", form(coded), (TAKEN,) if coding == b"7bit" else (REFUSED,))
    for charset in ("utf-16", "utf-7", "no-such-charset", "\x00"):
        odd = part("model", b"f\0o\0x\0", media_type=f"text/plain; charset={charset}")
        yield Case(f"part said to be in {charset!r}", form(FILE, odd), (REFUSED, BROKEN, (404, "model_not_found")))
    for filename in ("../../etc/passwd", "a" * 3000, "\x01", "con", "a\\b", "%00", "𝕗" * 200):
        body = form(part("image", png(), filename=filename))
        yield Case(f"file named {filename[:20]!r}", body, (TAKEN, BROKEN))


def _names() -> Iterator[Case]:
    for name in (
        "", "[", "]", "[]", "[0]", "a[", "a]", "a[[]]", "a[b", "a[b]c", "a" * 300, "a" + "[b]" * 9, "a" + "[]" * 9,
        "__proto__[x]",
        "a[99999999999999999999]", "image[99999999999999999999]", "a[\x7f]", "ﬀ[b]", "a[-1]", "a[ 0 ]",
        "$image-gateway-blob",
        "provider[$image-gateway-blob]", "constructor.prototype",
    ):  # fmt: skip
        yield Case(f"field named {name[:30]!r}", form(FILE, part(name, b"1")), (TAKEN, REFUSED, BROKEN))
    contradictions = (("a", "a[b]"), ("a[b]", "a"), ("a[0]", "a[]"), ("a[b][c]", "a[b]"), ("image", "image[x][y]"))
    for first, second in contradictions:
        yield Case(
            f"fields named {first} and {second}", form(FILE, part(first, b"1"), part(second, b"2")), (REFUSED, TAKEN)
        )
    numbered = [part(f"a[{place}][b]", b"1") for place in range(999, 100, -1)]
    yield Case("fields numbered backwards", form(FILE, *numbered), (TAKEN,))
    forged = part("images[0][$image-gateway-blob]", b"0")
    yield Case("field named like a place of ours", form(forged), (REFUSED, (400, "missing_required_parameter")))


def _types() -> Iterator[Case]:
    wrong = ((415, "unsupported_media_type"),)
    for content_type in (
        "multipart/mixed; boundary=b",
        "multipart/",
        "text/plain",
        "image/png",
        "*/*",
        "application/xml",
        "a" * 5000,
    ):
        yield Case(f"form said to be {content_type[:30]}", form(FILE), wrong, content_type=content_type)
    yield Case("form said to be JSON", form(FILE), ((400, "invalid_json"),), content_type="application/json")
    yield Case("fields of a page's form", b"prompt=a+fox", wrong, content_type="application/x-www-form-urlencoded")
    for coding in ("gzip", "br", "identity, gzip", "\x01"):
        yield Case(
            f"form in {coding!r}", form(FILE), (*wrong, (400, "invalid_request")), headers={"content-encoding": coding}
        )
    strange = Case("form in an unknown charset", form(FILE), (TAKEN,), content_type=f"{TYPE}{BOUNDARY}; charset=utf-16")
    yield strange
