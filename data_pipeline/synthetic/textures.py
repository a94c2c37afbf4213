"""Ten defect-free surfaces after the ten backgrounds of DAGM2007, drawn from noise.

Every texture is a function (rng, height, width) -> float32 [height, width] in grey levels, of which the nearest in
[0, 255] are kept in the end. Grain, streaks and grooves have widths in pixels whatever the image's size, as under one
camera; what belongs to the whole image (the hub of the rays, the shading) moves with its size. Spectra and grey-level
curves of surfaces 1 to 6 were matched to published sample images; 7 to 10 follow their descriptions.
Source: M. Wieler, T. Hahn, F. A. Hamprecht, "Weakly supervised learning for industrial optical inspection", DAGM 2007.
"""

import numpy as np
from scipy import fft, ndimage


def spectral_noise(rng: np.random.Generator, height: int, width: int, amplitude) -> np.ndarray:
    """Gaussian noise of unit variance, float32 [height, width], with `amplitude(fy, fx)` as its spectrum.

    fy [h, 1] and fx [1, w] are in cycles per pixel. The noise is drawn on a larger torus and cut, so that opposite
    edges do not continue each other.
    """
    tall, wide = fft.next_fast_len(height + 16, real=True), fft.next_fast_len(width + 16, real=True)
    fy, fx = fft.fftfreq(tall)[:, None].astype(np.float32), fft.rfftfreq(wide)[None].astype(np.float32)
    spectrum = rng.standard_normal((tall, wide // 2 + 1, 2), np.float32).view(np.complex64)[..., 0]
    spectrum *= amplitude(fy, fx)
    spectrum[0, 0] = 0
    noise = fft.irfft2(spectrum, (tall, wide), overwrite_x=True)[:height, :width]
    return (noise - noise.mean()) / noise.std()


def coarse_noise(rng: np.random.Generator, height: int, width: int, cells: int) -> np.ndarray:
    """Smooth shading, float32 [height, width], with about `cells` hills from edge to edge."""
    knots = rng.standard_normal((cells + 3, cells + 3), np.float32)
    grid = np.meshgrid(np.linspace(1, cells + 1, height), np.linspace(1, cells + 1, width), indexing="ij")
    return ndimage.map_coordinates(knots, np.asarray(grid, np.float32), order=3, mode="nearest")


def weave(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Surface 1: a dark moire weave, mirrored in a row and a column, of gratings along x, y and the radius."""
    y = np.arange(height, dtype=np.float32) - int(height * rng.uniform(0.3, 0.7))
    x = np.arange(width, dtype=np.float32) - int(width * rng.uniform(0.3, 0.7))
    radius = np.hypot(y[:, None], x[None])
    moire = np.zeros((height, width), np.float32)
    for ripple in rng.uniform((0.1, 0.5, 1.0, 1.6, 2.2), (0.4, 0.9, 1.5, 2.1, 2.8)):
        # Radians per pixel up to pi: the finest gratings beat with the pixel grid, which draws the large figures.
        down, across = rng.uniform(0.4, 3.1, (2, 4)).astype(np.float32)
        moire += (np.cos(y[:, None] * down) @ np.cos(x[:, None] * across).T) * np.cos(np.float32(ripple) * radius)
    slow = np.float32(2 * np.pi * rng.uniform(0.8, 1.6) / min(height, width))
    moire *= 1 + 0.35 * np.cos(slow * y)[:, None] * np.cos(slow * x)[None]
    moire /= moire.std()
    return 66 * np.exp(0.38 * np.clip(moire, -2.5, 2.5)) + 7 * rng.standard_normal(moire.shape, np.float32)


def streaks(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Surface 2: fine bright and dark streaks, within 12 degrees of the vertical."""
    tilt = np.deg2rad(rng.uniform(-12, 12))
    along, across = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    noise = spectral_noise(
        rng, height, width, lambda fy, fx: np.exp(-2 * np.square(np.float32(np.pi * 8) * (fy * along + fx * across)))
    )
    return _tone(noise, slope=1.2, offset=-0.75 + 0.15 * rng.standard_normal())


def cloth(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Surface 3: grey cloth with a horizontal mesh under uneven light."""
    grain = spectral_noise(
        rng, height, width, lambda fy, fx: _falloff(np.square(fy) + np.square(1.3 * fx), knee=0.02, power=1.3)
    )
    rows = np.arange(height, dtype=np.float32)[:, None] * np.float32(2 * np.pi / 16)
    columns = np.arange(width, dtype=np.float32)[None] * np.float32(2 * np.pi / 9)
    threads = ndimage.gaussian_filter1d(rng.standard_normal((height, 1), np.float32), 1.2, axis=0)
    wander = coarse_noise(rng, height, width, 6)
    mesh = np.cos(rows + 1.5 * wander) + 0.3 * np.cos(columns + wander) + threads
    light = np.linspace(1.3, -1.3, width, dtype=np.float32)[None] + 0.35 * coarse_noise(rng, height, width, 2)
    return 130 + 6 * rng.standard_normal() + 21 * grain + 5 * mesh + 19 * light


def rays(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Surface 4: light, with grooves that run from a dark hub in the middle to the edges."""
    count = max(24, min(height, width) // 2)
    middle, reach = np.array([height / 2, width / 2]) + rng.uniform(-4, 4, 2), np.hypot(height, width) / 2
    angle, bend = rng.uniform(0, 2 * np.pi, count), rng.normal(0, 0.15, count)
    start, end = rng.uniform(6, 12, count), reach * rng.uniform(0.35, 1.1, count)
    depth = rng.gamma(2.0, 0.5, count)
    way = np.linspace(0, 1, int(1.5 * reach))[:, None]
    distance = start + way * (end - start)
    direction = angle + bend * distance / reach
    y, x = middle[0] + distance * np.sin(direction), middle[1] + distance * np.cos(direction)
    grooves = _trace(y, x, np.broadcast_to(depth * (1 - way) ** 0.6, y.shape), height, width)
    light = (
        183 + 5 * rng.standard_normal() + _emboss(grooves, sigma=2.2, gain=170) + _embossed_paper(rng, height, width)
    )
    hub = np.hypot(np.arange(height)[:, None] - middle[0], np.arange(width)[None] - middle[1]) / max(
        6.0, min(height, width) / 40
    )
    return light - (light - 100) * np.exp(-(hub**4)).astype(np.float32)


def clouds(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Surface 5: clouds of fine grain, 1/f noise under a lens blur of 0.8 pixels."""
    grain = spectral_noise(
        rng, height, width, lambda fy, fx: _falloff(np.square(fy) + np.square(fx), knee=0.007, power=0.9, blur=0.8)
    )
    return 124 + 6 * rng.standard_normal() + 29 * grain


def speckle(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Surface 6: black and white speckle of high contrast."""
    grain = spectral_noise(
        rng, height, width, lambda fy, fx: _falloff(np.square(fy) + np.square(fx), knee=0.027, power=1.0, blur=0.8)
    )
    return _tone(grain, slope=1.73, offset=-0.7 + 0.1 * rng.standard_normal())


def banded_cloth(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Surface 7: the cloth of surface 3 with broad vertical bands of light and dark."""
    phase = 2 * np.pi * (np.linspace(0, rng.uniform(2.2, 3.2), width, dtype=np.float32) + rng.uniform())
    bands = np.cos(phase) + 0.4 * np.cos(2 * phase + rng.uniform(0, 6))
    return 0.7 * cloth(rng, height, width) + 38 + 26 * bands[None]


def paper(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Surface 8: light paper with thin dark vertical flecks."""
    count = max(4, height * width // 900)
    length, darkness = rng.uniform(4, 16, count), rng.gamma(3.0, 0.4, count)
    way = np.linspace(-1, 1, 41)[:, None]
    y, x = rng.uniform(0, height, count) + way * length, rng.uniform(0, width, count) + way * rng.normal(0, 0.8, count)
    weight = darkness * (1 - way**2) * length / 20
    flecks = ndimage.gaussian_filter(_trace(y, x, weight, height, width), 0.9)
    return 190 + 4 * rng.standard_normal() + 1.6 * _embossed_paper(rng, height, width) - 52 * flecks


def blotches(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Surface 9: blotchy grey grain, noise of about one octave."""
    coarse = spectral_noise(
        rng, height, width, lambda fy, fx: np.exp(-np.square(np.log2(np.hypot(fy, fx) / 0.045 + 1e-6) / 1.3))
    )
    fine = spectral_noise(
        rng, height, width, lambda fy, fx: _falloff(np.square(fy) + np.square(fx), knee=0.004, power=0.8, blur=0.7)
    )
    return 128 + 5 * rng.standard_normal() + 20 * coarse + 14 * fine


def fan(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Surface 10: light, with a fan of grooves bent like hyperbolae."""
    scale, count = max(height, width), max(24, max(height, width) // 4)
    narrow = scale * rng.uniform(0.06, 0.12)
    way = np.linspace(-0.1, 1.1, int(1.5 * scale))[:, None] * scale
    spread = rng.normal(0, 1.1, count)
    begin, stop = rng.uniform(-0.3, 0.5, count) * scale, rng.uniform(0.6, 1.3, count) * scale
    x = width * rng.uniform(0.4, 0.6) + spread * np.hypot(way - scale * rng.uniform(0.1, 0.2), narrow)
    depth = rng.gamma(2.0, 0.5, count) * ((way > begin) & (way < stop))
    grooves = _trace(height - way + 0 * x, x, depth, height, width)
    return 178 + 5 * rng.standard_normal() + _emboss(grooves, sigma=1.8, gain=130) + _embossed_paper(rng, height, width)


def _tone(noise: np.ndarray, *, slope: float, offset: float) -> np.ndarray:
    """Normal noise to grey levels by an S-shaped curve: most pixels near black, few near white."""
    return 255 / (1 + np.exp(-np.float32(slope) * noise - np.float32(offset)))


def _falloff(frequency_squared: np.ndarray, *, knee: float, power: float, blur: float = 0.0) -> np.ndarray:
    """An amplitude that is flat up to `knee` cycles per pixel, falls with `power`, and is blurred by `blur` pixels."""
    lens = np.exp(-np.float32(2 * (np.pi * blur) ** 2) * frequency_squared) if blur else 1
    return (frequency_squared + np.float32(knee**2)) ** np.float32(-power / 2) * lens


def _trace(y: np.ndarray, x: np.ndarray, weight: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sums the weights of points (y, x) into the pixels they fall on; points outside the image are left out."""
    row, column = np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    flat = np.bincount((row * width + column)[inside], weights=weight[inside], minlength=height * width)
    return flat.reshape(height, width).astype(np.float32)


def _emboss(depth: np.ndarray, *, sigma: float, gain: float) -> np.ndarray:
    """Grooves under a light from the upper left: the slope of the blurred depth along the diagonal."""
    # Grooves that meet cut no deeper than about two.
    smooth = np.tanh(ndimage.gaussian_filter(depth, sigma))
    return gain * (np.gradient(smooth, axis=0) + np.gradient(smooth, axis=1)) - 0.08 * gain * smooth


def _embossed_paper(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    rough = spectral_noise(
        rng,
        height,
        width,
        lambda fy, fx: (
            (np.abs(fy + fx) + 0.02) * _falloff(np.square(fy) + np.square(fx), knee=0.02, power=1.4, blur=0.7)
        ),
    )
    return 6 * rough + 3 * coarse_noise(rng, height, width, 3)


TEXTURES = {
    1: weave,
    2: streaks,
    3: cloth,
    4: rays,
    5: clouds,
    6: speckle,
    7: banded_cloth,
    8: paper,
    9: blotches,
    10: fan,
}
