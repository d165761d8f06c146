"""Fuzzing of what strangers send: photo files, payloads of the API, and calls of the running page.

python tests/fuzz.py --minutes 10
"""

import argparse
import json
import logging
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path

import httpx
import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from running import free_port

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from restore import photo as photos  # noqa: E402
from restore.distort import DISTORTIONS, distort  # noqa: E402
from restore.page import build  # noqa: E402
from restore.page.guard import RefusedError, check_call  # noqa: E402
from restore.page.serve import launch  # noqa: E402
from restore.working_size import WAYS  # noqa: E402

EVERY = 5
"""One call of the page for so many inputs of the other sorts, which take less time."""
PHOTO = "an uploaded photo"
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
LONGEST = 20
"""Seconds that no input may take."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)
"""Anything that JSON can say, NaN and huge numbers included."""

file_data = st.fixed_dictionaries(
    {},
    optional={
        "path": json_values | st.sampled_from(["/etc/passwd", "../x", "http://127.0.0.1/", "\0"]),
        "url": st.text(max_size=20),
        "orig_name": json_values,
        "is_stream": st.booleans(),
        "meta": st.just({"_type": "gradio.FileData"}) | json_values,
    },
)
calls = st.fixed_dictionaries(
    {"data": st.lists(file_data | json_values, max_size=5)},
    optional={"batched": json_values, "fn_index": json_values, "session_hash": json_values},
)


any_photo = st.just(PHOTO) | json_values
any_model = st.just("cnn") | json_values  # the fastest: calls are tried here, not models
page_calls = st.one_of(
    st.tuples(st.just("restore"), st.tuples(any_photo)),
    st.tuples(
        st.just("restore"),
        st.tuples(any_photo, any_model, any_photo, st.sampled_from([*WAYS]) | json_values),
    ),
    st.tuples(
        st.just("compare"),
        st.tuples(any_photo, st.lists(any_model, max_size=3) | json_values, any_photo),
    ),
    st.tuples(
        st.just("distort"),
        st.tuples(
            any_photo,
            st.sampled_from([*DISTORTIONS]) | json_values,
            st.floats(0, 20) | json_values,
            st.integers(0, 99) | json_values,
        ),
    ),
    st.tuples(st.text("abc/_", max_size=9), st.lists(json_values, max_size=3)),
    st.tuples(
        st.just("v2/restore"),
        st.fixed_dictionaries(
            {"photo": any_photo},
            optional={"model": any_model, "scale": json_values, "x": any_photo},
        ),
    ),
)
"""A function of the page and what it is given: a list, or by name."""


def seeds() -> list[bytes]:
    """Small valid photos of every format and mode, to be spoiled."""
    rng, made = np.random.default_rng(0), []
    levels = rng.integers(0, 256, (24, 18, 4), np.uint8)
    full = Image.fromarray(levels)
    deep = Image.fromarray(levels[..., 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "<script>alert(1)</script>"
    for kind in FORMATS:
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "YCbCr"):
            image = deep if mode == "I;16" else full.convert(mode)
            for more in ({}, {"exif": exif.tobytes()}, {"progressive": True}):
                data = BytesIO()
                try:
                    image.save(data, kind, **more)
                except (OSError, ValueError, KeyError):
                    continue
                made.append(data.getvalue())
    return made


def spoil(data: bytes, rng: random.Random) -> bytes:
    """Bits flipped, bytes set to telling values, cut, repeated, or numbers of a header blown up."""
    spoiled = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not spoiled:
            break
        at = rng.randrange(min(len(spoiled), rng.choice((64, 512, 1 << 30))))
        match rng.randrange(6):
            case 0:
                spoiled[at] ^= 1 << rng.randrange(8)
            case 1:
                spoiled[at] = rng.choice((0, 1, 127, 128, 255))
            case 2:
                del spoiled[at:]
            case 3:
                end = at + rng.randrange(1, 40)
                spoiled[at:at] = spoiled[at:end]
            case 4:
                spoiled[at : at + 4] = rng.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"))
            case 5:
                del spoiled[at : at + rng.randrange(1, 40)]
    return bytes(spoiled)


def try_photo(folder: Path, data: bytes) -> str:
    """Decode, and write what was decoded; anything but a photo or a PhotoError is a crash."""
    path = folder / "photo.png"
    path.write_bytes(data)
    try:
        photo = photos.decode(path)
    except photos.PhotoError as error:
        sentence = str(error)
    else:
        sentence = None
    if sentence is not None:
        assert sentence.startswith("photo.png: "), sentence
        assert "\n" not in sentence, sentence
        return "refused"
    width, height = photo.size
    assert 0 < width * height <= photos.MAX_PIXELS
    if width * height < 1 << 20:
        photos.encode(photo, folder / "out.png", overwrite=True)
    return "decoded"


def try_call(call: dict) -> str:
    """The guard refuses with a sentence or lets pass, and never lets a foreign path pass."""
    try:
        check_call(json.dumps(call).encode())
    except RefusedError:
        return "refused"
    assert not foreign(call), call
    return "passed"


def foreign(value: object) -> bool:
    """Whether a path lies in it; none of those made here is an upload."""
    if isinstance(value, dict):
        return value.get("path") is not None or any(map(foreign, value.values()))
    return isinstance(value, list) and any(map(foreign, value))


def try_distort(arguments: tuple) -> str:
    """A kind, a strength and a seed from a stranger: a distorted photo, or a ValueError."""
    import torch

    try:
        x = distort(torch.full((1, 3, 16, 16), 0.5), *arguments)
    except ValueError:
        return "refused"
    assert x.shape == (1, 3, 16, 16)
    assert torch.isfinite(x).all()
    return "distorted"


@contextmanager
def page(folder: Path) -> Iterator[Callable[[tuple], str]]:
    """The running page, as what tries a call of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        served = build()
        launch(served, "127.0.0.1", free_port())
        try:
            with httpx.Client(base_url=f"{served.local_url}gradio_api/", timeout=60) as web:
                kept = web.post("upload", files={"files": ("a.png", seeds()[-1])}).json()[0]
                yield partial(try_page, web, {"path": kept, "meta": {"_type": "gradio.FileData"}})
        finally:
            served.close(verbose=False)


def try_page(web: httpx.Client, photo: dict, call: tuple) -> str:
    """A result or a sentence, and never the server's fault."""
    function, given = call
    given = {"data": given} if isinstance(given, list | tuple) else given
    body = json.dumps(given).replace(json.dumps(PHOTO), json.dumps(photo))
    headers = {"Content-Type": "application/json"}
    answer = web.post(f"call/{function}", content=body, headers=headers)
    if answer.status_code != 200:
        assert answer.status_code < 500, answer.text
        assert answer.json()["detail"], answer.text
        return "refused"
    said = web.get(f"call/{function.removeprefix('v2/')}/{answer.json()['event_id']}").text
    if "event: complete" in said:
        return "answered"
    error = json.loads(said.rsplit("data: ", 1)[1])["error"]
    assert error.endswith("."), said
    assert "the fault is not yours" not in error, said
    return "told"


distortions = st.tuples(
    st.sampled_from(sorted(DISTORTIONS)) | st.text(max_size=9),
    st.floats() | st.integers(-10, 60),
    st.integers(0, 1 << 32),
)


def campaign(
    limit: int | None, minutes: float, seed: int, report: Callable[[str], None] = print
) -> tuple[Counter, list[str]]:
    """Up to `limit` inputs of each sort or for `minutes`; what came of them, and the crashes."""
    rng, outcomes, crashes = random.Random(seed), Counter(), []
    valid = seeds()
    until, tried = time.monotonic() + 60 * minutes, 0
    calls_drawn, distortions_drawn = examples(calls, rng), examples(distortions, rng)
    page_calls_drawn = examples(page_calls, rng)
    with tempfile.TemporaryDirectory() as folder, page(Path(folder)) as call_page:
        while time.monotonic() < until and (limit is None or tried < limit):
            tried += 1
            for name, attempt, value in (
                ("photo", partial(try_photo, Path(folder)), spoil(rng.choice(valid), rng)),
                ("call", try_call, next(calls_drawn)),
                ("distort", try_distort, next(distortions_drawn)),
                *([("page", call_page, next(page_calls_drawn))] if tried % EVERY == 0 else []),
            ):
                began = time.monotonic()
                try:
                    outcomes[f"{name} {attempt(value)}"] += 1
                    assert time.monotonic() - began < LONGEST, "too slow"
                except Exception as error:
                    outcomes[f"{name} crashed"] += 1
                    where = traceback.extract_tb(error.__traceback__)[-1]
                    crash = f"{name}: {type(error).__name__} in {Path(where.filename).name}"
                    if not any(known.startswith(crash) for known in crashes):
                        line = f"{crash}:{where.lineno}: {str(error)[:90]!r} <- {value!r:.150}"
                        crashes.append(line)
                        report(line)
    return outcomes, crashes


def examples(strategy: st.SearchStrategy, rng: random.Random) -> Iterator:
    """Endless values of a strategy, in batches: hypothesis itself does not run for minutes."""
    while True:
        batch: list = []

        @hypothesis.seed(rng.getrandbits(32))
        @settings(
            max_examples=200,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def collect(value):
            batch.append(value)  # noqa: B023, called before the next batch

        collect()
        yield from batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None, help="of another day's run")
    arguments = parser.parse_args()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    seed = arguments.seed if arguments.seed is not None else random.randrange(1 << 32)
    outcomes, crashes = campaign(None, arguments.minutes, seed)
    print(f"seed {seed}: {sum(outcomes.values()):,} inputs")
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:>10,}  {outcome}")
    print(f"{len(crashes)} sorts of crash")
    sys.exit(1 if crashes else 0)


if __name__ == "__main__":
    main()
