"""ReNet-D on any folder of images.

python -m launch.train --detector renet_d                              # synthetic textures
python -m launch.train --detector renet_d --dataset mvtec --data FOLDER
"""

SETTINGS = {
    "stem": 3,  # channels of each of the three stem kernels; 0 for neither stem nor heads
    "widths": (10, 20, 30, 40),  # channels of the convolution modules; all but the last are pooled
    "kernels": (5, 5, 5, 3),  # pixels
    "up": "deconv",  # or unpool: max-unpooling with the encoder's indices, which leaks positions
    "norm": True,  # batch normalisation
    "losses": ("l1", "ssim"),  # one or two of l1, mse, ssim, ms_ssim
    "alpha": 0.15,  # weight of the first; the second has 1 - alpha. 1 for regular textures (paper)
    "penalty": 0.001,  # of the Frobenius norm of all kernels
    "learning_rate": 1e-3,
    "pixel_range": 1.0,  # 255 for l1 and mse of 0-255 pixels
    "block": 32,  # images are redrawn in blocks of the size trained on, pixels; 0 redraws them whole
    "overlap": 16,  # pixels shared by neighbouring blocks
    "residual": "squared",  # squared, absolute, ssim, mahalanobis, nearest, or a product: ssim*nearest
    "window": 3,  # of the residual features, in cells of 4 pixels
    "bank": 0,  # residual features of normal images kept for `nearest`
    "box": 5,  # side of the mean filter over the residual, pixels
    "dtype": "float32",  # of the network when it scores; bfloat16 is for accelerators, a CPU computes in float32
}
BASE = {}
PRESETS = {
    # The published network with the score that finds most on real images; see docs/quality.md.
    "tuned": {
        "train.steps": 600, "train.save_every": 200, "settings.residual": "ssim*nearest", "settings.bank": 2000,
        "settings.box": 15,
    },
    "paper": {},  # Figure 3 and Table 2: block 32 x 32, 256 samples, 1000 iterations, alpha .15; 67,039 weights if grey
    # The widest network that keeps the paper's promise of less than 1 MB.
    "wide": {"settings.stem": 8, "settings.widths": (16, 32, 64, 64)},
    # The public earlier variant: no stem, no normalisation, max-unpooling, squared error on 0-255 pixels.
    "repo": {
        "data.channels": 3, "train.batch": 512, "settings.stem": 0, "settings.widths": (10, 20, 30, 40, 50),
        "settings.kernels": (5, 5, 5, 5, 5), "settings.up": "unpool", "settings.norm": False,
        "settings.losses": ("mse",), "settings.penalty": 0.0, "settings.learning_rate": 1e-4,
        "settings.pixel_range": 255.0,
    },
}  # fmt: skip
