"""What can honestly be said of a result without knowing the clear photo."""

import numpy as np
from gradio.i18n import I18nData

from ..metrics import SMALLEST, sharpness
from ..photo import Photo
from .texts import t

SHARP, BLURRED, TOUCHED = 0.4, 0.28, 1.0
"""Sharpness from which an untouched photo is called sharp, below which a result is called blurred,
and the mean change in levels of 255 from which a photo counts as touched.

Chosen with unet-512 on 15 crops of 256 x 256 from validation photos: left alone, their sharpness is
0.44 to 0.74 and the change 0.0 to 1.2 (three in four below 0.1); with a Gaussian of 1 or 1.6 px, a
disk of 2 px or motion of 7 px the change is 1.3 to 9.3; with a Gaussian of 4 px, which gains only
0.8 dB, the sharpness of the result is 0.12 to 0.28, with one of 2.5 px three in four are over 0.39.
Motion of 15 px, which hardly gains either, cannot be told apart by these two.
"""


def judgement(before: Photo, after: np.ndarray) -> I18nData | str:
    """One sentence where a warning is due, else what the figures below mean.

    `after` are the restored colours, of the shape and dtype of the photo's own.
    """
    if min(before.size) < SMALLEST:
        return t("verdict_small")
    first, last = before.levels(), before.with_colours(after).levels()
    change = float(np.abs(last.astype(np.int16) - first).mean())
    sharp_before, sharp_after = sharpness(first), sharpness(last)
    if change < TOUCHED:
        return t("verdict_sharp") if sharp_before >= SHARP else t("verdict_untouched")
    return t("verdict_beyond") if sharp_after < BLURRED else t("verdict_restored")
