"""Seg-Dec-Net, which learns from images with defects, their masks where there are any, and good ones.

python -m launch.train --detector segdec
python -m launch.train --detector segdec train.masks=5                        # 5 defects outlined, the rest labelled
python -m launch.train --detector segdec --preset ksdd2 --data FOLDER
python -m launch.train --detector segdec --preset dagm --data FOLDER "data.options.classes=(1,)"

An epoch shows every defective training image once, and as many good ones. The steps of the published recipes are
those of the full training sets; with data.calibration of them held out for thresholds an epoch is that much shorter.
Without masks (train.masks=0) the published runs also set settings.balance=False, and on KolektorSDD
settings.learning_rate=0.01 settings.delta=1.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "small") -> ConfigDict:
    """Presets: dagm, ksdd, ksdd2 and steel as published, small for machines without an accelerator, tiny for tests."""
    config = base.get_config()
    config.detector, config.preset = "segdec", preset
    config.train.update(labels="masks", masks=-1, patch=0, batch=1, log_every=50, save_every=500)
    config.threshold.update(image="f1", pixel="f1")
    config.settings = ConfigDict()
    config.settings.widths = (32, 64, 64, 1024)  # channels of the first layer, the next 3, the next 4, the features
    config.settings.decision = (8, 16, 32)  # channels of the layers that decide
    config.settings.norm_mode = "repo"  # divides by the square root of the deviation; unit_var: by the deviation
    config.settings.gradient_stop = True  # the decision does not change the segmentation
    config.settings.map_bias = True  # the map's logits have a bias, as in the public code; the paper names none
    config.settings.balance = True  # from the segmentation's loss, at first, to the decision's
    config.settings.steps = config.train.get_ref("steps")  # over which it goes: the same as train.steps
    config.settings.delta = 1.0  # weight of the decision's loss
    config.settings.dilate = 1  # pixels a side by which masks are widened, odd
    config.settings.w_pos = 1.0  # weight of a defect's deepest pixel; that of a good one is 1
    config.settings.p = 2.0  # power of the depth in the weight of the others
    config.settings.learning_rate = 0.1  # of plain gradient descent, for a batch's mean gradient
    PRESETS[preset](config)
    return config


def dagm(config: ConfigDict) -> None:
    """DAGM 2007, one class at a time: 512 x 512 grey. AP 100 % with 15 or more masks for each class, 74 % with none."""
    whole(config, "dagm2007", 512, 512)
    config.data.options.classes = (1,)
    config.train.update(steps=11060, save_every=1000)  # 70 epochs of 2 x 79 images (class 1; others have 66 to 150)
    config.settings.update(dilate=7, w_pos=10.0, p=1.0, delta=1.0, learning_rate=0.05)


def ksdd(config: ConfigDict) -> None:
    """KolektorSDD, one fold of three: 512 x 1408 grey. All defects are found with 33 masks; AP 99.1 % with 5."""
    whole(config, "kolektor_sdd", 1408, 512)
    config.train.update(steps=3300)  # 50 epochs of 2 x 33 images (one fold's; the others differ by a few)
    config.settings.update(dilate=7, w_pos=1.0, p=2.0, delta=0.01, learning_rate=1.0)


def ksdd2(config: ConfigDict) -> None:
    """KolektorSDD2: 232 x 640 RGB. AP 95.4 % with all 246 masks, 83.2 % with 16, 73.3 % with none."""
    whole(config, "kolektor_sdd2", 640, 232)
    config.data.channels = 3
    config.train.update(steps=24600, save_every=2000)  # 50 epochs of 2 x 246 images
    config.settings.update(dilate=15, w_pos=3.0, p=2.0, delta=1.0, learning_rate=0.01)


def steel(config: ConfigDict) -> None:
    """Severstal, defects of class 3: 1600 x 256 grey. AP 99.3 % at best.

    The published rate is 0.1 for the sum of 10 gradients: 1 for their mean. Of 4759 defective images 1200 are for the
    test, 559 held out and 3000 trained on, as published; of 5902 good ones 1200 are for the test.
    """
    whole(config, "severstal", 256, 1600)
    config.data.update(train_defective=0.7478, test_good=0.2033, calibration=0.157)
    config.train.update(batch=10, steps=24000, save_every=2000)  # 40 epochs of 2 x 3000 images, in batches of 10
    config.settings.update(dilate=1, w_pos=1.0, p=2.0, delta=0.1, learning_rate=1.0)


def whole(config: ConfigDict, name: str, rows: int, columns: int) -> None:
    """Whole images of a dataset, brought to one size."""
    config.data.update(name=name, size=rows, width=columns)


def small(config: ConfigDict) -> None:
    """A quarter of the channels and less on synthetic images: two minutes on two cores, AP 1.

    One image at a time, as published, is better than batches at equal epochs, and as fast (docs/two_stage.md). Where
    the loss of the decision rises, as it did on magnetic tile at rate 0.3, take a lower one: 0.03 there.
    """
    config.data.options.update(surfaces=(4,), size=256, train=40, train_defective=40)
    config.train.update(steps=1920, log_every=60, save_every=480)  # 30 epochs of 2 x 32 images
    config.settings.update(widths=(8, 16, 16, 64), dilate=7, w_pos=10.0, p=1.0, learning_rate=0.1)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    config.data.options.update(train_defective=10)
    config.train.update(steps=20, batch=16, patch=48, log_every=5, save_every=10)
    config.score.update(tile=64, overlap=16)
    config.settings.update(widths=(2, 4, 4, 8), decision=(2, 4, 4), dilate=3, w_pos=3.0, learning_rate=0.3)
    config.report.images = 4


PRESETS = {"dagm": dagm, "ksdd": ksdd, "ksdd2": ksdd2, "steel": steel, "small": small, "tiny": tiny}
