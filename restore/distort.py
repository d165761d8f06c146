"""Distortions: what a lens, a hand and a file format do to a clear photo.

Everything is batched torch, runs on the device of its input and is deterministic by seed. Photos
are float [B, 3, H, W] in [0, 1]; kernels are [B, K, K], K odd, and sum to 1. Borders reflect.
"""

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

from .tiling import reflect_pad

STUDY_SIGMA = 1.1
"""Sigma of the study's 5 x 5 Gaussian, in pixels: what OpenCV's GaussianBlur takes for ksize 5."""


def _grid(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column distance from the centre, each [K, K], in pixels."""
    axis = torch.arange(size, device=device, dtype=torch.float32) - size // 2
    return torch.meshgrid(axis, axis, indexing="ij")


def _odd(extent: float) -> int:
    """The smallest odd size that reaches `extent` pixels to each side."""
    return 2 * max(int(-(-extent // 1)), 0) + 1


def _normalise(kernel: Tensor) -> Tensor:
    return kernel / kernel.sum((-2, -1), keepdim=True)


def gaussian_kernel(
    sigma: Tensor,
    size: int | None = None,
    aspect: Tensor | None = None,
    angle: Tensor | None = None,
) -> Tensor:
    """Gaussian of standard deviation `sigma` [B] pixels, cut off at 3.5 sigma or to `size`.

    With `aspect` [B] in (0, 1], the deviation along the minor axis is aspect * sigma, and `angle`
    [B] (radians) turns the major axis away from the horizontal.
    """
    y, x = _grid(size or _odd(3.5 * sigma.max().item()), sigma.device)
    angle = torch.zeros_like(sigma) if angle is None else angle
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    major = sigma.clamp(min=1e-3)[:, None, None]
    minor = major if aspect is None else major * aspect[:, None, None]
    along, across = x * cos + y * sin, y * cos - x * sin
    return _normalise(torch.exp(-0.5 * ((along / major) ** 2 + (across / minor) ** 2)))


def study_kernel(device: torch.device | str = "cpu") -> Tensor:
    """The study's blur, [1, 5, 5]."""
    return gaussian_kernel(torch.tensor([STUDY_SIGMA], device=device), size=5)


def disk_kernel(radius: Tensor, edge: Tensor | float = 1.0) -> Tensor:
    """Defocus: a disk of `radius` [B] pixels that fades out over `edge` [B] pixels.

    One pixel is a sharp edge, sampled without aliasing; real lenses blur it further.
    """
    edge = torch.as_tensor(edge, device=radius.device).expand(len(radius))
    y, x = _grid(_odd((radius + edge / 2).max().item()), radius.device)
    beyond = torch.hypot(x, y) - radius[:, None, None]
    return _normalise((0.5 - beyond / edge[:, None, None]).clamp(0, 1))


def path_kernel(points: Tensor, size: int | None = None) -> Tensor:
    """The blur of an exposure during which the picture moves along `points` [B, N, 2] (y, x; px).

    All points weigh the same and are shared bilinearly among their four neighbours.
    """
    size = size or _odd(points.abs().max().item() + 1)
    y, x = (points + size // 2).unbind(-1)
    kernel = points.new_zeros(len(points), size * size)
    for row in (y.floor(), y.floor() + 1):
        for column in (x.floor(), x.floor() + 1):
            share = (1 - (y - row).abs()) * (1 - (x - column).abs())
            inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
            index = (row.clamp(0, size - 1) * size + column.clamp(0, size - 1)).long()
            kernel.scatter_add_(1, index, share * inside)
    return _normalise(kernel.view(-1, size, size))


def motion_kernel(length: Tensor, angle: Tensor) -> Tensor:
    """Straight motion over `length` [B] pixels at `angle` [B] radians above the horizontal."""
    t = torch.linspace(-0.5, 0.5, 8 * _odd(length.max().item()), device=length.device)
    t = t * length[:, None]
    return path_kernel(torch.stack([-t * angle.sin()[:, None], t * angle.cos()[:, None]], -1))


def shake_kernel(extent: Tensor, generator: torch.Generator, steps: int = 256) -> Tensor:
    """Camera shake: a random walk with inertia, about `extent` [B] pixels across.

    Hand tremor as in Boracchi and Foi, 2012, https://doi.org/10.1109/TIP.2012.2192126: the speed is
    kept for a while, disturbed at random and now and then jerked into another direction.
    """
    batch, device = len(extent), extent.device
    push = torch.randn(batch, steps, 2, generator=generator, device=device)
    jerk = torch.rand(batch, steps, 1, generator=generator, device=device) < 4 / steps
    push = push * torch.where(jerk, 8.0, 0.25)
    inertia = 0.9 + 0.09 * torch.rand(batch, 1, generator=generator, device=device)
    speed, walk = torch.zeros(batch, 2, device=device), []
    for step in range(steps):
        speed = inertia * speed + push[:, step]
        walk.append(speed)
    path = torch.stack(walk, 1).cumsum(1)
    path = path - path.mean(1, keepdim=True)
    reach = path.norm(dim=-1).amax(1).clamp(min=1e-6)
    return path_kernel(path * (0.5 * extent / reach)[:, None, None])


def to_linear(x: Tensor) -> Tensor:
    """sRGB values to linear light, both in [0, 1] (IEC 61966-2-1)."""
    return torch.where(x <= 0.04045, x / 12.92, ((x.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def from_linear(x: Tensor) -> Tensor:
    """Linear light to sRGB values, both in [0, 1] (IEC 61966-2-1)."""
    high = 1.055 * x.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(x <= 0.0031308, x * 12.92, high)


def convolve(x: Tensor, kernel: Tensor) -> Tensor:
    """Convolve each picture of [B, C, H, W], of any values, with its kernel of [B, K, K]."""
    height, width = x.shape[-2:]
    margin = kernel.shape[-1] // 2
    padded = reflect_pad(x, (margin, margin, margin, margin))
    size = [next_fast_len(n, real=True) for n in padded.shape[-2:]]
    spectrum = torch.fft.rfft2(padded, s=size) * torch.fft.rfft2(kernel, s=size)[:, None]
    full = torch.fft.irfft2(spectrum, s=size)
    return full[..., 2 * margin : 2 * margin + height, 2 * margin : 2 * margin + width]


def blur(x: Tensor, kernel: Tensor) -> Tensor:
    """Convolve each photo of [B, C, H, W] with its kernel of [B, K, K], or all with one."""
    return convolve(x, kernel).clamp(0, 1)


def overexpose(light: Tensor, gain: Tensor) -> Tensor:
    """Linear light [B, 3, H, W] as it was before the sensor clipped it, up to 1 + `gain` [B].

    Only what is nearly white (0.8 and more) is raised. So lamps and reflexes keep their strength
    while they are blurred, and leave streaks and disks as in a camera.
    """
    white = ((light - 0.8) / 0.2).clamp(0, 1) ** 2
    return light * (1 + gain[:, None, None, None] * white)


MID_GREY = 0.2
"""Linear light of an sRGB value of about one half."""


def sensor_deviation(light: Tensor, sigma: Tensor) -> Tensor:
    """Standard deviation of a sensor's noise at each pixel of linear light [B, 3, H, W].

    It is `sigma` [B] at mid-grey and grows with the square root of the light, as photons are
    counted (shot noise); a tenth of sigma is there in the dark too (read noise).
    """
    return sigma[:, None, None, None] * (0.01 + light.clamp(min=0) / MID_GREY).sqrt()


def sharpen(x: Tensor, amount: Tensor) -> Tensor:
    """Unsharp mask of radius 1 px and `amount` [B], as cameras apply it to every photo."""
    soft = blur(x, gaussian_kernel(torch.ones_like(amount[:1])))
    return (x + amount[:, None, None, None] * (x - soft)).clamp(0, 1)


def resample(x: Tensor, factor: float) -> Tensor:
    """Scale photos down by `factor` and up again, bicubically, as on the way through a website."""
    size = x.shape[-2:]
    small = [max(1, round(extent / factor)) for extent in size]
    small = interpolate(x, small, mode="bicubic", antialias=True)
    return interpolate(small, size, mode="bicubic").clamp(0, 1)


def add_noise(x: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """White Gaussian noise of standard deviation `sigma` [B], in units of the range [0, 1]."""
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    return (x + sigma[:, None, None, None] * noise).clamp(0, 1)


def quantise(x: Tensor) -> Tensor:
    """Round to the 256 levels of an 8-bit file."""
    return (x.clamp(0, 1) * 255).round() / 255


def jpeg(x: Tensor, quality: int | Sequence[int]) -> Tensor:
    """Write each photo as JPEG of `quality` 1 to 100, one for all or one each, and read it back."""
    qualities = [quality] * len(x) if isinstance(quality, int) else quality
    photos = (x.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    with ThreadPoolExecutor() as pool:
        written = list(pool.map(_through_jpeg, photos, qualities))
    return torch.from_numpy(np.stack(written)).to(x.device).permute(0, 3, 1, 2).to(x) / 255


def _through_jpeg(levels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@dataclass(frozen=True)
class Distortion:
    """One kind of distortion as a person meets it: a name and one strength in a natural unit.

    A blur has a `kernel`: (strength [1], angle [1] in radians or None, generator) -> [1, K, K].
    What is no blur has `apply`: (photo [1, 3, H, W], strength, generator) -> the same shape.
    """

    label: str
    unit: str
    low: float
    high: float
    default: float
    kernel: Callable[[Tensor, Tensor | None, torch.Generator], Tensor] | None = None
    apply: Callable[[Tensor, float, torch.Generator], Tensor] | None = None


def _study(strength: Tensor, _angle: Tensor | None, _: torch.Generator) -> Tensor:
    kernel = once = study_kernel(strength.device)
    for _pass in range(round(strength.item()) - 1):
        kernel = conv2d(kernel[None], once[None], padding=once.shape[-1] - 1)[0]
    return kernel


def _motion(length: Tensor, angle: Tensor | None, generator: torch.Generator) -> Tensor:
    if angle is None:
        angle = torch.pi * torch.rand(1, generator=generator, device=length.device)
    return motion_kernel(length, angle)


def _noise(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    return add_noise(x, torch.tensor([strength / 255], device=x.device), generator)


DISTORTIONS: dict[str, Distortion] = {
    "study": Distortion("The study's blur", "times", 1, 5, 1, _study),
    "gaussian": Distortion(
        "Gaussian blur", "px (sigma)", 0.3, 5, 1.6, lambda sigma, *_: gaussian_kernel(sigma)
    ),
    "defocus": Distortion(
        "Defocus", "px (radius)", 0.5, 8, 2.5, lambda radius, *_: disk_kernel(radius)
    ),
    "motion": Distortion("Straight motion", "px (length)", 1, 31, 9, _motion),
    "shake": Distortion(
        "Camera shake", "px (extent)", 1, 31, 11, lambda extent, _, draw: shake_kernel(extent, draw)
    ),
    "noise": Distortion("Noise", "levels of 255 (sigma)", 0, 50, 8, apply=_noise),
    "jpeg": Distortion(
        "JPEG", "quality, lower is worse", 5, 100, 30, apply=lambda x, q, _: jpeg(x, round(q))
    ),
}
SEEDS = 2**31
"""Seeds run from 0 to one less than this."""


def find(kind: str) -> Distortion:
    """The distortion of that name. Raises ValueError, in a sentence fit for a visitor."""
    if kind not in DISTORTIONS:
        raise ValueError(
            f"There is no distortion {kind!r}. Choose one of: {', '.join(DISTORTIONS)}."
        )
    return DISTORTIONS[kind]


def check_setting(kind: str, strength: float, seed: int = 0, angle: float | None = None) -> None:
    """Raises ValueError, in a sentence fit for a visitor, for a setting that `distort` refuses."""
    spec = find(kind)
    if strength is None or not spec.low <= strength <= spec.high:
        given = "none was given" if strength is None else f"{strength:g} is outside"
        raise ValueError(
            f"{spec.label} takes a strength from {spec.low:g} to {spec.high:g} {spec.unit}; "
            f"{given}."
        )
    if kind == "study" and strength != int(strength):
        raise ValueError(
            f"The study's blur comes in whole times from {spec.low:g} to {spec.high:g}; "
            f"{strength:g} lies between two."
        )
    if seed is None or not 0 <= seed < SEEDS or seed != int(seed):
        raise ValueError(f"The seed must be a whole number from 0 to {SEEDS - 1}.")
    if angle is not None and not 0 <= angle <= 180:
        raise ValueError("The angle must lie between 0 and 180 degrees.")


def draw_kernel(
    kind: str,
    strength: float,
    seed: int = 0,
    angle: float | None = None,
    device: torch.device | str = "cpu",
) -> Tensor | None:
    """The kernel [1, K, K] of that blur, or None where it is none (noise, JPEG).

    `strength` is in the unit of `DISTORTIONS[kind]`; `angle`, of a motion, in degrees above the
    horizontal, 0 to 180, drawn at random where it is None; `seed` settles what is drawn at random.
    Raises ValueError, in a sentence fit for a visitor.
    """
    check_setting(kind, strength, seed, angle)
    make = DISTORTIONS[kind].kernel
    if make is None:
        return None
    radians = None if angle is None else torch.tensor([angle], device=device).deg2rad()
    generator = torch.Generator(device).manual_seed(int(seed))
    return make(torch.tensor([float(strength)], device=device), radians, generator)


def distort(
    x: Tensor, kind: str, strength: float, seed: int = 0, angle: float | None = None
) -> Tensor:
    """Distort one photo [1, 3, H, W] in [0, 1] and round it to 8 bits.

    The setting is that of `draw_kernel`; of a noise, `seed` settles the noise. Raises ValueError.
    """
    kernel = draw_kernel(kind, strength, seed, angle, x.device)
    if kernel is not None:
        return quantise(blur(x, kernel))
    generator = torch.Generator(x.device).manual_seed(int(seed))
    return quantise(DISTORTIONS[kind].apply(x, float(strength), generator))
