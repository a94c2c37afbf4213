"""MSCDAE, denoising autoencoders of patches at three scales, on any folder of images.

python -m launch.train --detector mscdae --preset small
python -m launch.train --detector mscdae --preset small --dataset mvtec --data FOLDER

The papers take a level of 2 for a defect (mean and two deviations of normal residuals); here a threshold on levels is
fitted on normal images held out, as for all detectors.
"""

SETTINGS = {
    "levels": 3,  # of the Gaussian pyramid
    "widths": (16, 32, 64),  # channels of the encoder
    "patches": 8,  # of 8 x 8 pixels, drawn from each training image at each level
    "noise": 0.1,  # share of a training patch's pixels replaced by salt and pepper
    "penalty": 0.001,  # of the Frobenius norm of all kernels
    "learning_rate": 1e-3,
    "stride": 1,  # pixels between the patches that are scored; each doubling takes a quarter of the time
    "opening": 1,  # side of the square a defect must contain, pixels; 1 for any
}
BASE = {"train.steps": 2000, "train.batch": 64, "train.patch": 64}  # The smallest level of 64 pixels is 16.
PRESETS = {
    "paper": {},  # Three levels, every patch scored.
    # Every fourth patch down and across: a sixteenth of the time.
    "small": {"train.steps": 600, "train.save_every": 200, "settings.stride": 4},
}
