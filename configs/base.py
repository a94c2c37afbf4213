"""Every field of a config with its default, and the tables that several detectors' configs share.

A table is flat: {field: value}. `settings.*`, the keyword arguments of a detector, stand in the detector's own config;
what a value may be, in limits.py.
"""

from typing import Any

RUN = {
    "detector": "",
    "preset": "",
    "seed": 0,
    "weights": "",  # file of a backbone's weights (docs/weights.md), or random; "" where there is no backbone
    "data.name": "synthetic",  # a file of data_pipeline/layouts
    "data.root": "",  # the folder of the images; "" for $JAXDEFECT_DATA/<name>
    "data.seed": 0,  # of the split into training, calibration and test; not changed by `seed`
    "data.channels": "auto",  # 1 grey, 3 RGB; auto: RGB where normal training images are in colour
    "data.scale": 1.0,  # images are resized by this factor before training and scoring
    "data.size": 0,  # or to so many pixels a side, whatever their shape; 0 leaves them
    "data.width": 0,  # pixels, where images of data.size rows are not to be square
    "data.calibration_fraction": 0.2,  # of the training images, held out for thresholds
    "data.test_good_fraction": 0.2,  # of the normal images, where the dataset has no test part of its own
    "data.train_defective_fraction": 0.0,  # of the defective ones, to learn from, where the dataset has none for it
    "data.join": 7,  # pixels a side, odd, by which masks are dilated to join pieces into one defect
    "data.surface": "",  # keeps the images of one surface alone, where the dataset has several
    "data.surfaces_as_classes": False,  # surfaces are told apart: good and defective images of each alike (DAGM_MIX)
    "data.unseen": (),  # surfaces kept from training that are to raise an alarm, with data.surfaces_as_classes
    "data.show_unseen": False,  # these are shown after all, marked as such; leaks, for comparison only
    "data.per_surface": 300,  # good images, and as many defective ones, of each surface, with data.surfaces_as_classes
    "data.split_after_augmentation": False,  # as the DAGM_MIX paper did: copies of an image leak into the test
    "data.attributes": {},  # {surface: numbers}, what surfaces look like; see configs/attributes.py
    "data.attribute_names": (),  # of these numbers, in words
    "data.options": {},  # of the layout, e.g. data.options.surfaces=(1,2)
    "train.steps": 1000,
    "train.batch": 256,  # patches per step, over all devices
    "train.patch": 32,  # pixels a side; 0 for whole images, of good images alone the largest square in them all
    "train.feed": "auto",  # in_memory (on the device), stream (tf.data), auto: in_memory up to train.memory_limit
    "train.memory_limit": 2048,  # MiB
    "train.supervision": "none",  # what is learned from beside good images: none, simulated, masks, kinds, surfaces
    "train.corrupt": (),  # flaws given to good images: kinds of jaxdefect/flaws/kinds.py, or all; () for none
    "train.corrupt_share": 0.5,  # of the good images that get flaws
    "train.corrupt_most": 1,  # flaws of an image, at most
    "train.corrupt_noise": 0.0,  # standard deviation of Gaussian noise that a repaired image keeps, pixels in [0, 1]
    "train.max_masks": -1,  # defective training images whose masks are used, of the others only the label; -1 all
    "train.max_defective": -1,  # defective images that are learned from, drawn at random; -1 all
    "train.flips": False,  # images are also shown mirrored and turned upside down
    "train.zoom": 0.0,  # good images are also shown larger and smaller by up to this share of their size
    "train.paired_images": False,  # also draw an image of the other half of the training set (MAA)
    "train.log_every": 50,  # steps
    "train.save_every": 250,  # steps, a multiple of log_every
    "train.validate": False,  # also log the loss on held-out images; patience and restore then go by it
    "train.validate_on": "normal",  # these as they are; simulated: how well flaws painted on them are found
    "train.patience": 0,  # stop after so many logged losses without a lower one; 0 never
    "train.restore": "last",  # the state that is evaluated: last, or best (lowest logged loss)
    "score.mode": "auto",  # whole, tiled; auto: whole unless there are more than 8 sizes of images
    "score.tile": 256,  # pixels a side
    "score.overlap": 64,  # pixels shared by neighbouring tiles
    # pauta, quantile, false_alarm_rate: fitted on normal images; simulated: the best F1 where flaws are painted on
    # these (of pixels, the best mean F1 of these images); f1: the best F1 where defective ones are held out, too
    "threshold.image_rule": "pauta",
    "threshold.pixel_rule": "pauta",  # or otsu, of each image by itself
    "threshold.fitted_on": "calibration",  # normal images held out, or train: those trained on
    "threshold.gammas": (0.0, 1.0, 2.0, 3.0),  # for comparison, mean + gamma * deviation also judge the images
    "threshold.sigma": 3.0,  # pauta: mean + sigma * standard deviation
    "threshold.quantile": 0.995,
    "threshold.false_alarm_rate": 0.01,
    "threshold.min_area": 0,  # smaller defects are dropped, pixels
    "report.images": 24,  # shown in the report, worst first
    "report.memory": False,  # also report the memory that scoring one image takes (compiles once more)
    "report.keep_maps": False,  # float maps of all test images, as .npy at original resolution
}

# Detectors that see whole images at one size fit thresholds as MAA does. Goes with at_size.
WHOLE_IMAGES = {"threshold.fitted_on": "train"}
# Nothing is learned by steps: normal images are looked at once, if at all.
UNTRAINED = {"train.steps": 0, "train.batch": 8}
# Labelled whole images without outlines; their size is data.size.
LABELLED = {
    "data.train_defective_fraction": 0.5, "train.supervision": "masks", "train.max_masks": 0, "train.patch": 0,
    "train.flips": True, "train.save_every": 500, "threshold.image_rule": "f1",
}  # fmt: skip
# What most presets `small` share: a minute or two without a GPU.
TWO_CORES = {"train.steps": 400, "train.batch": 16, "train.log_every": 20, "train.save_every": 200}
# Synthetic images to learn from defects with: 40 good ones and 40 defective ones of one surface.
DRAWN_DEFECTS = {
    "data.options.surfaces": (4,), "data.options.size": 256, "data.options.train": 40,
    "data.options.train_defective": 40,
}  # fmt: skip


def at_size(size: int) -> dict[str, Any]:
    """Trained on and scoring whole images of so many pixels a side, for detectors with settings.size."""
    return {"data.size": size, "train.patch": size, "settings.size": size}
