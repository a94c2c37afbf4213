"""ReNet-D on any folder of images.

python -m launch.train                              # synthetic textures
python -m launch.train --dataset mvtec --data FOLDER
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "tuned") -> ConfigDict:
    """Presets: tuned, paper, wide, repo, and tiny for tests."""
    config = base.get_config()
    config.detector = "renet_d"
    config.preset = preset
    config.settings = ConfigDict()
    config.settings.stem = 3  # channels of each of the three stem kernels; 0 for neither stem nor heads
    config.settings.widths = (10, 20, 30, 40)  # channels of the convolution modules; all but the last are pooled
    config.settings.kernels = (5, 5, 5, 3)  # pixels
    config.settings.up = "deconv"  # or unpool: max-unpooling with the encoder's indices, which leaks positions
    config.settings.norm = True  # batch normalisation
    config.settings.losses = ("l1", "ssim")  # one or two of l1, mse, ssim, ms_ssim
    config.settings.alpha = 0.15  # weight of the first; the second has 1 - alpha. 1 for regular textures (paper)
    config.settings.penalty = 0.001  # of the Frobenius norm of all kernels
    config.settings.learning_rate = 1e-3
    config.settings.pixel_range = 1.0  # 255 for l1 and mse of 0-255 pixels
    config.settings.block = 32  # images are redrawn in blocks of the size trained on, pixels; 0 redraws them whole
    config.settings.overlap = 16  # pixels shared by neighbouring blocks
    config.settings.residual = "squared"  # squared, absolute, ssim, mahalanobis, nearest, or a product: ssim*nearest
    config.settings.window = 3  # of the residual features, in cells of 4 pixels
    config.settings.bank = 0  # residual features of normal images kept for `nearest`
    config.settings.box = 5  # side of the mean filter over the residual, pixels
    config.settings.dtype = "float32"  # of the network when it scores; bfloat16 is faster on accelerators
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """Figure 3 and Table 2: block 32 x 32, 256 samples, 1000 iterations, alpha .15. 67,039 weights if grey."""
    del config


def tuned(config: ConfigDict) -> None:
    """The published network with the score that finds most on real images; see docs/quality.md."""
    config.train.update(steps=600, save_every=200)
    config.settings.update(residual="ssim*nearest", window=3, bank=2000, box=15)


def wide(config: ConfigDict) -> None:
    """The widest network that keeps the paper's promise of less than 1 MB."""
    config.settings.update(stem=8, widths=(16, 32, 64, 64))


def repo(config: ConfigDict) -> None:
    """The public earlier variant: no stem, no normalisation, max-unpooling, squared error on 0-255 pixels."""
    config.data.channels = 3
    config.train.batch = 512
    config.settings.update(stem=0, widths=(10, 20, 30, 40, 50), kernels=(5, 5, 5, 5, 5), up="unpool", norm=False)
    config.settings.update(losses=("mse",), penalty=0.0, learning_rate=1e-4, pixel_range=255.0)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    config.train.update(steps=20, batch=16, patch=16, log_every=5, save_every=10)
    config.score.update(tile=64, overlap=16)
    config.settings.update(stem=2, widths=(4, 6, 8), kernels=(5, 5, 3), learning_rate=1e-2, block=16, overlap=4)
    config.settings.update(residual="ssim*nearest", bank=64)
    config.report.images = 4


PRESETS = {"tuned": tuned, "paper": paper, "wide": wide, "repo": repo, "tiny": tiny}
