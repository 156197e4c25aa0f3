"""What is an image, told by content: Pillow makes and reads them, as the other opinion."""

import contextlib
import io
import random
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tidings.content._pictures import ImageInvalid, Kind, read_picture, without_private

KINDS = {"PNG": Kind.PNG, "JPEG": Kind.JPEG, "GIF": Kind.GIF, "WEBP": Kind.WEBP}


def made(form: str, size: tuple[int, int] = (31, 17), mode: str = "RGB", **options: object) -> bytes:
    image = Image.effect_noise(size, 60).convert(mode)
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def moving(form: str, frames: int = 5) -> bytes:
    images = [Image.new("RGB", (20, 10), (40 * number, 0, 200 - 40 * number)) for number in range(frames)]
    out = io.BytesIO()
    images[0].save(out, form, save_all=True, append_images=images[1:], duration=50, loop=0)
    return out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def refused(data: bytes) -> str:
    with pytest.raises(ImageInvalid) as caught:
        read_picture(data)
    assert caught.value.fields[0].field == "file"
    return caught.value.message


MADE = [
    *((form, made(form, mode=mode)) for form in ("PNG",) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    ("PNG", made("PNG", optimize=True)),
    ("JPEG", made("JPEG")),
    ("JPEG", made("JPEG", progressive=True, optimize=True)),
    ("JPEG", made("JPEG", mode="CMYK")),
    ("JPEG", made("JPEG", mode="L", comment=b"hello", icc_profile=b"x" * 70_000)),
    ("JPEG", made("JPEG", (300, 200), restart_marker_rows=1)),
    ("GIF", made("GIF", mode="P")),
    ("GIF", made("GIF", mode="P", interlace=False, comment=b"hello")),
    ("WEBP", made("WEBP")),
    ("WEBP", made("WEBP", lossless=True)),
    ("WEBP", made("WEBP", mode="RGBA", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")),
]
MOVING = [(form, moving(form)) for form in ("PNG", "GIF", "WEBP")]


@pytest.mark.parametrize(("form", "data"), [*MADE, *MOVING])
def test_what_programs_write_is_read_as_pillow_reads_it(form: str, data: bytes) -> None:
    picture = read_picture(data)
    with Image.open(io.BytesIO(data)) as seen:
        assert (picture.width, picture.height) == seen.size
        assert picture.frames == getattr(seen, "n_frames", 1)
    assert (picture.kind, picture.size) == (KINDS[form], len(data))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("endian", ["<", ">"])
def test_a_turned_photo_has_the_size_it_is_shown_in(orientation: int, endian: str) -> None:
    exif = Image.Exif()
    exif.endian = endian
    exif[0x0112] = orientation
    picture = read_picture(made("JPEG", (40, 20), exif=exif.tobytes()))
    assert (picture.width, picture.height) == ((20, 40) if orientation >= 5 else (40, 20))


def test_an_interlaced_png_has_all_its_pixels() -> None:
    width, height = 5, 3
    rows = ((1, 1), (1, 1), (2, 0), (1, 1), (3, 1), (2, 2), (5, 1))  # columns and rows of each pass
    pixels = b"".join(b"\0" + b"\x80" * across for across, down in rows for _ in range(down) if across)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1))
    good = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    with Image.open(io.BytesIO(good)) as seen:
        seen.load()
        assert seen.size == (width, height)
    assert read_picture(good).width == width
    short = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(pixels[:-1])) + chunk(b"IEND", b"")
    assert "not as many pixels" in refused(short)


@pytest.mark.parametrize(("form", "data"), [*MADE, *MOVING])
def test_cut_anywhere_it_is_refused(form: str, data: bytes) -> None:
    for end in sorted({*range(1, 60), *range(60, len(data), max(1, len(data) // 80)), len(data) - 1}):
        refused(data[:end])


@pytest.mark.parametrize(("form", "data"), [*MADE, *MOVING])
def test_what_follows_an_image_is_refused_or_left_out(form: str, data: bytes) -> None:
    for hidden in (b"PK\x03\x04" + b"x" * 100, b"<script>alert(1)</script>", b"\0", data):
        if form == "JPEG":  # cameras put depth maps and videos there
            assert read_picture(data + hidden).size == len(data)
        else:
            assert "broken image" in refused(data + hidden)


def test_bombs_are_refused_without_being_opened() -> None:
    def png(width: int, height: int, pixels: bytes, *more: bytes) -> bytes:
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")

    assert "16,384 a side" in refused(png(60_000, 60_000, zlib.compress(b"\0" * 1000)))
    assert "16,384 a side" in refused(png(20_000, 1, zlib.compress(b"\0" * 20_001)))
    inflated = zlib.compress(b"\0" * 100_000_000, 9)
    assert "not as many pixels" in refused(png(10, 10, inflated))
    text = b"Comment\0\0" + inflated
    assert "more than 4 MB" in refused(png(1, 1, zlib.compress(b"\0\0"), chunk(b"zTXt", text)))
    assert "more than 4 MB" in refused(png(1, 1, zlib.compress(b"\0\0"), chunk(b"iTXt", b"C\0\1\0\0\0" + inflated)))
    long = moving("GIF", 3)
    frame = long.index(b"\x2c")
    assert "moves for too long" in refused(long[:-1] + long[frame:-1] * 2500 + b";")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg onload='alert(1)'/>", "SVG"),
        (b"<!DOCTYPE html><script>", "HTML"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04", "ZIP"),
        (b"II*\0abcd", "TIFF"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"RIFF\0\0\0\0WAVE", "must be a PNG"),
        (b"\x89PNG\r\n\x1a\n", "too early"),
        (b"GIF89a", "header is wrong"),
        (b"\xff\xd8\xff", "too early"),
    ],
)
def test_the_refusal_says_what_it_is(data: bytes, told: str) -> None:
    assert told in refused(data)


SECRETS = (b"GPSHERE", b"XMPHERE", b"IPTCHERE", b"TEXTHERE")


def photo(form: str, orientation: int) -> bytes:
    """A photo that tells where it was taken, in every way that its format knows."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "GPSHERE"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (53.0, 47.0, 59.0)
    more: dict[str, Any] = {"exif": exif.tobytes(), "icc_profile": b"colours" * 40}
    if form == "PNG":
        texts = PngInfo()
        for compressed in (False, True):
            texts.add_text("Location", "TEXTHERE", zip=compressed)
            texts.add_itxt("XML:com.adobe.xmp", "XMPHERE", zip=compressed)
        return made(form, (40, 20), pnginfo=texts, **more)
    data = made(form, (40, 20), xmp=b"<x>XMPHERE</x>", **more)
    if form == "JPEG":
        extras = ((0xED, b"Photoshop 3.0\0IPTCHERE"), (0xEB, b"JPTEXTHERE"), (0xFE, b"TEXTHERE"))
        data = data[:2] + b"".join(struct.pack(">BBH", 255, m, len(b) + 2) + b for m, b in extras) + data[2:]
    return data


DAMAGED = [data for _, data in [*MADE, *MOVING]] + [photo(form, 6) for form in ("JPEG", "PNG", "WEBP")]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, len(DAMAGED) - 1), st.integers(1, 8))
def test_damage_is_a_sentence_never_a_crash(seed: int, which: int, times: int) -> None:
    chance = random.Random(seed)
    data = bytearray(DAMAGED[which])
    for _ in range(times):
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randrange(1, 9)]
            case _:
                data[at:at] = chance.randbytes(chance.randrange(1, 9))
    try:
        picture = read_picture(bytes(data))
    except ImageInvalid:
        return
    assert picture.width > 0
    assert picture.height > 0
    # Whatever is taken can be cleaned; if what is left is damaged after all, that is a sentence, too.
    clean = without_private(bytes(data[: picture.size]), picture.kind)
    with contextlib.suppress(ImageInvalid):
        assert read_picture(clean).kind == picture.kind


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x20\0\0\0WEBPVP8X"]),
    st.binary(max_size=200),
)
def test_anything_after_the_right_start_is_a_sentence(start: bytes, rest: bytes) -> None:
    with contextlib.suppress(ImageInvalid):
        read_picture(start + rest)


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_photo_does_not_tell_where_it_was_taken(form: str, orientation: int) -> None:
    data = photo(form, orientation)
    clean = without_private(data, KINDS[form])
    assert b"GPSHERE" in data
    assert not any(secret in clean for secret in SECRETS)
    before, after = read_picture(data), read_picture(clean)
    assert (before.width, before.height, before.frames) == (after.width, after.height, after.frames)
    with Image.open(io.BytesIO(data)) as was, Image.open(io.BytesIO(clean)) as seen:
        assert seen.tobytes() == was.tobytes()
        assert seen.info["icc_profile"] == was.info["icc_profile"]
        assert not {"xmp", "XML:com.adobe.xmp", "Location", "comment", "photoshop"} & seen.info.keys()
        assert dict(seen.getexif()) == ({0x0112: orientation} if orientation != 1 else {})
    assert without_private(clean, KINDS[form]) == clean


@pytest.mark.parametrize(("form", "data"), [*MADE, *MOVING])
def test_what_an_image_shows_stays(form: str, data: bytes) -> None:
    clean = without_private(data, KINDS[form])
    assert len(clean) <= len(data)
    assert read_picture(clean).frames == read_picture(data).frames
    with Image.open(io.BytesIO(data)) as was, Image.open(io.BytesIO(clean)) as seen:
        for frame in range(getattr(was, "n_frames", 1)):
            was.seek(frame)
            seen.seek(frame)
            assert seen.tobytes() == was.tobytes()
            assert seen.info.get("icc_profile") == was.info.get("icc_profile")
            assert seen.info.get("duration") == was.info.get("duration")
