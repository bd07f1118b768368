"""PIL: images of every mode, with what is known beside their pixels."""

import io

import pytest

Image = pytest.importorskip("PIL.Image", reason="pip install pillow")

MODES = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "RGBX", "RGBa", "La",
         "I;16", "I;16L", "I;16B"]  # fmt: skip


def colour(image, value):
    bands = len(image.getbands())
    return value if bands == 1 else (value,) * bands


def photo(mode="RGB"):
    image = Image.effect_noise((60, 40), 80)
    return Image.merge("RGB", [image, image.rotate(90).resize((60, 40)), image]).convert(mode)


def assert_same(before, after):
    assert type(after) is type(before)
    assert after == before
    assert (after.mode, after.size, after.info) == (before.mode, before.size, before.info)
    assert after.tobytes() == before.tobytes()
    if before.palette is not None:
        assert after.palette.mode == before.palette.mode
        assert bytes(after.palette.palette) == bytes(before.palette.palette)
        assert after.convert("RGBA").tobytes() == before.convert("RGBA").tobytes()


@pytest.mark.parametrize("size", [(70, 50), (1, 1), (0, 5)])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode(roundtrip, mode, size):
    image = Image.new(mode, size)
    image.info = {"dpi": (72, 72), "comment": b"x"}
    if 0 not in size:
        image.putpixel((0, 0), colour(image, 3))
    assert_same(image, roundtrip(image))
    assert_same(image, roundtrip([image])[0])


def test_a_step_may_paint_on_its_image(store):
    image = photo()
    reference = store.save(image)
    mine = store.load(reference)
    mine.load()[0, 0] = (1, 2, 3)
    mine.putpixel((1, 1), (1, 2, 3))
    assert mine.getpixel((0, 0)) == (1, 2, 3)
    assert_same(image, store.load(reference))


def test_palettes(roundtrip):
    plain = photo().quantize(5)
    assert_same(plain, roundtrip(plain))
    transparent = plain.copy()
    transparent.info["transparency"] = 1
    assert_same(transparent, roundtrip(transparent))
    alpha = Image.new("P", (2, 2))
    alpha.putpalette([1, 2, 3, 4] * 4, "RGBA")
    assert_same(alpha, roundtrip(alpha))


def test_exif_set_on_the_image(roundtrip):
    image = photo()
    image.getexif()[0x010E] = "hello"
    assert dict(roundtrip(image).getexif()) == {0x010E: "hello"}


def opened(kind, **options):
    stream = io.BytesIO()
    photo().save(stream, kind, **options)
    return Image.open(stream)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "GIF"])
def test_images_from_files(roundtrip, kind):
    image = opened(kind)
    after = roundtrip(image)
    assert_same(image, after)
    assert after.format == image.format
    after.save(io.BytesIO(), kind)
    after.convert("L")


def test_what_an_image_knows_of_its_file(roundtrip):
    from PIL.PngImagePlugin import PngInfo

    note = PngInfo()
    note.add_text("key", "value")
    assert roundtrip(opened("PNG", pnginfo=note)).text == {"key": "value"}
    image = opened("JPEG", quality=30)
    assert roundtrip(image).quantization == image.quantization


def animation():
    frames = [Image.effect_noise((20, 20), 50).convert("P") for _ in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    image = Image.open(stream)
    image.seek(1)
    return image


def test_an_animation_keeps_all_frames(roundtrip):
    image = animation()
    after = roundtrip(image)
    assert (after.n_frames, after.tell()) == (3, 1)
    for frame in range(3):
        image.seek(frame)
        after.seek(frame)
        assert after.tobytes() == image.tobytes()


def test_an_animation_that_was_painted_on_is_refused(store):
    from kalelite.errors import UnmarshallableError

    image = animation()
    image.putpixel((1, 1), 5 if image.mode == "P" else (1, 2, 3))
    with pytest.raises(UnmarshallableError, match="copies of its frames"):
        store.save([image])
