"""Where tiles lie."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from restore.tiling import PITCH, SMALLEST, read, reflect_pad, spans, tiles


@settings(deadline=None)
@given(
    size=st.integers(1, 3000),
    core=st.sampled_from([16, 100, 256, 960]),
    context=st.integers(0, 64),
    multiple=st.sampled_from([1, 8, 16]),
    pitch=st.sampled_from([1, PITCH]),
)
def test_spans_cover_the_line_once_and_see_their_context(size, core, context, multiple, pitch):
    cut = spans(size, core, context, multiple, pitch)
    assert [s.start for s in cut] == [0, *(s.stop for s in cut[:-1])]
    assert cut[-1].stop == size
    for span in cut:
        assert (span.high - span.low) % multiple == 0
        everything = (0, -(-size // multiple) * multiple)
        assert (span.high - span.low) % pitch == 0 or (span.low, span.high) == everything
        assert (span.low - cut[0].low) % multiple == 0
        assert span.start - span.low >= min(context, span.start)
        assert span.high - span.stop >= min(context, size - span.stop)
        assert 0 <= span.low < span.high < size + multiple


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (7, 4)])
def test_reflection_is_numpys(shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    ours = reflect_pad(torch.from_numpy(x), (3, 9, 8, 2)).numpy()
    assert np.array_equal(ours, np.pad(x, ((8, 2), (3, 9)), mode="reflect"))


def test_tiles_read_the_photo_and_its_mirror():
    x = torch.arange(40 * 50).view(40, 50)
    padded = np.pad(x.numpy(), 64, mode="reflect")
    for row in spans(40, 16, 24, 8):
        for column in spans(50, 16, 24, 8):
            expected = padded[row.low + 64 : row.high + 64, column.low + 64 : column.high + 64]
            assert np.array_equal(read(x, row, column).numpy(), expected)


@settings(deadline=None)
@given(
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    area=st.sampled_from([1, 300**2, 1000**2, 4000**2]),
    context=st.sampled_from([6, 80]),
    multiple=st.sampled_from([1, 16]),
)
def test_tiles_cover_the_photo_once_and_fit(height, width, area, context, multiple):
    plan = tiles(height, width, area, context, multiple)
    assert sum((r.stop - r.start) * (c.stop - c.start) for r, c in plan) == height * width
    assert len({(r.start, c.start) for r, c in plan}) == len(plan)
    largest = max((r.high - r.low) * (c.high - c.low) for r, c in plan)
    smallest = 2 * SMALLEST + 2 * (context + multiple) + PITCH  # a shorter line is not cut
    assert largest <= max(area, smallest**2)


def test_twelve_megapixels_in_large_tiles_cost_little_more_than_their_pixels():
    plan = tiles(3000, 4000, 1700**2, 80, 16)
    read_in_all = sum((r.high - r.low) * (c.high - c.low) for r, c in plan)
    assert read_in_all < 1.2 * 12_000_000
