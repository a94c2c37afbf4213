"""A network known from ImageNet as a classifier: good or defective, or kinds of defect, from labels alone.

python -m launch.train --detector resnet_classifier settings.weights=resnet18.safetensors
python -m launch.train --detector resnet_classifier --preset small settings.weights=squeezenet.h5
python -m launch.train --detector resnet_classifier --preset small --dataset magnetic_tile settings.weights=net.h5
python -m launch.train --detector resnet_classifier ... train.labels=kinds "settings.kinds=('blowhole','break','crack')"

Half of the defective images are trained on, or held out for the threshold; their outlines are not used. Each batch
holds as many defective as good images, or as many of each kind. Frozen features of random weights tell little:
without a file of weights take settings.frozen=False, or the detector cnn_classifier.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(preset: str = "paper") -> ConfigDict:
    """Presets: paper, small for machines without an accelerator, and tiny for tests."""
    config = labelled("resnet_classifier", preset)
    config.settings.backbone = "resnet18"  # resnet18, resnet50, resnet101, squeezenet, vgg16, vgg19, small
    config.settings.width = 16  # channels of the first map of `small`
    config.settings.weights = ""  # a .safetensors, .pth or .h5 file for the backbone; empty for random ones
    config.settings.frozen = False  # only the head learns
    PRESETS[preset](config)
    return config


def labelled(detector: str, preset: str) -> ConfigDict:
    """Where detectors start that learn from labelled whole images of one size, without outlines."""
    config = base.get_config()
    config.detector, config.preset = detector, preset
    config.data.train_defective = 0.5
    config.train.update(labels="masks", masks=0, patch=0, flips=True, log_every=50, save_every=500)
    config.threshold.image = "f1"
    config.settings = ConfigDict()
    sized(config, 224)  # pixels a side; as the networks were trained on ImageNet
    config.settings.kinds = ()  # names of the kinds of defect, with train.labels="kinds"; () for good or defective
    config.settings.learning_rate = 1e-4  # of Adam
    config.settings.decay = 0.1  # the learning rate is multiplied by it
    config.settings.decay_every = 2000  # after so many steps
    return config


def sized(config: ConfigDict, size: int) -> None:
    """Whole images are brought to so many pixels a side, whatever their shape, for training and for scoring."""
    config.data.size = config.settings.size = size


def synthetic(config: ConfigDict) -> None:
    """Synthetic images to try it on, as for segdec: 40 good ones and 40 defective ones of one surface."""
    config.data.options.update(surfaces=(4,), size=256, train=40, train_defective=40)


def for_tests(config: ConfigDict) -> None:
    """What the presets `tiny` have in common: seconds on one core, no detection."""
    config.data.options.update(train_defective=10)
    sized(config, 32)
    config.data.size = 0  # Windows about the outlined defects: the images stay as large as they are.
    config.train.update(steps=20, batch=16, masks=-1, patch=48, flips=False, log_every=5, save_every=10)
    config.score.update(tile=64, overlap=16)
    config.settings.update(learning_rate=3e-3, decay=0.5, decay_every=20)
    config.report.images = 4


def paper(config: ConfigDict) -> None:
    """ResNet-18 at 224 x 224 pixels, all of it learning, for an accelerator; the survey names no values."""
    config.train.update(steps=4000, batch=32)


def small(config: ConfigDict) -> None:
    """The frozen features of SqueezeNet (give settings.weights), of which the head alone learns.

    Magnetic tile, 96 good and 102 defective images: AUROC 0.96, AP 0.99; three kinds of defect and good images are
    told apart with an accuracy of 0.83 after 240 steps. 50 seconds of processor time.
    """
    synthetic(config)
    config.train.update(steps=400, batch=16, log_every=20, save_every=200)
    config.settings.update(backbone="squeezenet", frozen=True, learning_rate=3e-3, decay_every=250)


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    for_tests(config)
    config.settings.update(backbone="small", width=2)


PRESETS = {"paper": paper, "small": small, "tiny": tiny}
