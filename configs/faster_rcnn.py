"""Faster R-CNN, which learns boxes around defects from outlined ones and good images.

python -m launch.train --detector faster_rcnn
python -m launch.train --detector faster_rcnn --dataset magnetic_tile --data FOLDER data.train_defective=0.5
python -m launch.train --detector faster_rcnn --preset paper --dataset mvtec --data FOLDER data.train_defective=0.5

An epoch shows every defective training image once, and as many good ones. Sizes in pixels are those of the images
as trained on (data.size rows). Windows of large images are trained on by train.patch; scored in tiles, images keep
their map but no boxes.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "small") -> ConfigDict:
    """Presets: paper (published counts and overlaps), small for machines without an accelerator, tiny for tests."""
    config = base.get_config()
    config.detector, config.preset = "faster_rcnn", preset
    config.train.update(labels="masks", patch=0, batch=4, flips=True, log_every=50, save_every=250)
    config.threshold.update(image="f1", pixel="f1")
    config.settings = ConfigDict()
    config.settings.widths = (16, 32, 64, 64)  # channels at 1/2, 1/4, 1/8 and 1/16 of the image's size
    config.settings.sizes = (12.0, 24.0, 48.0, 96.0, 192.0)  # roots of the anchors' areas, pixels
    config.settings.ratios = (0.5, 1.0, 2.0)  # of their heights over their widths
    config.settings.hidden = 128  # units of the layer that judges a region
    config.settings.bins = 7  # features a side of a region
    config.settings.candidates = 256  # anchors of the highest objectness
    config.settings.proposals = 32  # regions of these that are judged
    config.settings.proposal_overlap = 0.7  # of two proposals that overlap more, one is left out
    config.settings.positive = 0.5  # an anchor that overlaps a defect so much is one; published: 0.7
    config.settings.negative = 0.3  # one that overlaps less is none
    config.settings.most_boxes = 8  # defects of an image that are learned from, the largest
    config.settings.min_area = 8  # pixels; smaller pieces of a mask are left out
    config.settings.join = 7  # pixels a side, odd, by which masks are dilated to join pieces into one defect
    config.settings.found = 16  # boxes of an image at most
    config.settings.found_overlap = 0.3  # of two that overlap more, the worse defect is kept
    config.settings.least_score = 0.05  # of the boxes given
    config.settings.box_weight = 1.0  # of the losses of the boxes' places beside those of their scores
    config.settings.learning_rate = 1e-3  # Adam's
    config.settings.decay = 0.1  # times the rate after each
    config.settings.decay_every = 1500  # steps
    PRESETS[preset](config)
    return config


def paper(config: ConfigDict) -> None:
    """600 rows, 3 sizes and 3 ratios of anchors, 300 proposals; for an accelerator.

    The backbone has VGG-16's widths but a third of its layers and a finer stride, and is not pretrained; Adam takes the
    place of 60000 and 20000 steps of gradient descent at rates 0.001 and 0.0001.
    """
    config.data.update(size=600, channels=3)
    config.train.update(batch=2, steps=80000, save_every=2000)
    config.settings.update(
        widths=(64, 128, 256, 512), sizes=(128.0, 256.0, 512.0), hidden=4096, candidates=6000, proposals=300,
        positive=0.7, most_boxes=32, found=100, learning_rate=1e-4, decay_every=60000,
    )  # fmt: skip


def small(config: ConfigDict) -> None:
    """Images of 256 x 256 pixels."""
    config.data.size = 256
    config.data.options.update(surfaces=(4,), size=256, train=40, train_defective=40)
    config.train.update(steps=2000)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    config.data.options.update(train_defective=10)
    config.train.update(steps=20, batch=16, patch=48, log_every=5, save_every=10)
    config.score.update(mode="whole", tile=64, overlap=16)
    config.settings.update(
        widths=(2, 4, 8, 8), sizes=(12.0, 24.0), hidden=16, bins=4, candidates=32, proposals=24, most_boxes=3, found=4,
        learning_rate=3e-3,
    )  # fmt: skip
    config.report.images = 4


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
