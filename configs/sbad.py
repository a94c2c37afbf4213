"""SBAD: which surface an image shows, with an alarm for surfaces that were never seen.

python -m launch.train --detector sbad settings.weights=squeezenet.h5
python -m launch.train --detector sbad --preset self_trained                  # no weights file at all
python -m launch.train --detector sbad --preset paper --dataset dagm2007 --data FOLDER settings.weights=resnet101.pth
python -m launch.train --detector sbad data.unseen=Class3,Class7 settings.weights=squeezenet.h5

Nothing of the unseen surfaces is used in mode B. Without a file of weights the backbone is a random one, always the
same for the same seed. The loss means something else in each phase (cross-entropy while the backbone trains itself,
then the error of redrawn features): `train.restore` and `train.patience` stay at last and 0.
"""

from ml_collections import ConfigDict

from configs import attributes, base


def get_config(preset: str = "small") -> ConfigDict:
    """Presets: paper, small and self_trained for machines without an accelerator, and tiny for tests."""
    config = surfaces("sbad", preset)
    config.settings.mode = "B"  # A: attributes of unseen surfaces, too, once trained; oracle: of their images (leaks)
    config.settings.embedding = "learned"  # or real: attributes as they are annotated
    config.settings.tf_vaegan = False  # the baseline in place of SBAD
    config.settings.hidden = 4096  # units of each network's hidden layer
    config.settings.ce_hidden = 1024  # of the CE-VAE's
    config.settings.ce_steps = 6000  # of the CE-VAE
    config.settings.average_steps = 120  # over which its codes are averaged
    config.settings.gan_steps = 18000  # of the VAEGAN; in mode B to the end
    config.settings.steps = config.train.get_ref("steps")  # of all phases: the same as train.steps
    config.settings.critic_steps = 5  # updates of critic and Encoder-2 in each of them
    config.settings.ce_rate = 1e-3
    config.settings.learning_rate = 1e-4  # of Encoder-1, decoder and critic
    config.settings.attribute_rate = 1e-4  # of Encoder-2
    config.settings.feedback_rate = 1e-5  # of TF-VAEGAN's feedback
    config.settings.classifier_rate = 1e-3  # of the classifier, which modes A and oracle end with
    config.settings.attribute_weight = 3.0  # w_r, of the error of attributes read off redrawn features
    config.settings.adversarial = 10.0  # weight of the critic
    config.settings.penalty = 10.0  # first weight of its gradient penalty, which adapts
    config.settings.feedback = 1.0  # a1, weight of TF-VAEGAN's feedback
    PRESETS[preset](config)
    return config


def surfaces(detector: str, preset: str) -> ConfigDict:
    """Where detectors start that tell surfaces apart: good and defective images alike, two surfaces unseen."""
    config = base.get_config()
    config.detector, config.preset = detector, preset
    config.data.mixed, config.data.unseen = True, ("Class8", "Class10")
    config.train.update(labels="surfaces", patch=0, batch=64, log_every=20, save_every=200)
    config.threshold.update(image="quantile", quantile=0.95)
    config.settings = ConfigDict()
    attributes.describe(config)
    config.settings.backbone = "resnet101"
    config.settings.backbone_width = 16  # channels of the first map of `small`
    config.settings.backbone_size = 224  # pixels a side of what the backbone looks at
    config.settings.weights = ""  # a file of its weights; empty for random ones
    config.settings.backbone_steps = 0  # in which it first learns to tell the seen surfaces apart
    config.settings.backbone_rate = 1e-3
    return config


def synthetic(config: ConfigDict, backbone: str, size: int) -> None:
    """Ten drawn surfaces of 128 x 128 pixels, looked at with this backbone."""
    drawn = {"surfaces": tuple(range(1, 11)), "size": 128, "train": 40, "train_defective": 40}
    config.data.options.update(drawn | {"test_good": 20, "test_defective": 20})
    config.settings.update(backbone=backbone, backbone_size=size)


def self_training(config: ConfigDict, steps: int) -> None:
    """A small network in place of the backbone, trained on the seen surfaces: 64 x 64 pixels, no file of weights."""
    synthetic(config, "small", 64)
    config.data.size = config.train.patch = 64
    config.train.batch = 32
    config.settings.update(backbone_width=8, backbone_steps=steps)


def for_tests(config: ConfigDict, backbone_steps: int) -> None:
    """Images of 16 x 16 pixels and a backbone of a few channels."""
    config.train.update(steps=20, batch=16, patch=16, log_every=5, save_every=10)
    config.data.size = 64  # pixels
    config.data.options.update(
        surfaces=tuple(range(1, 11)), size=64, train=4, train_defective=4, test_good=2, test_defective=2
    )
    config.settings.update(backbone="small", backbone_width=2, backbone_size=16, backbone_steps=backbone_steps)
    config.settings.backbone_rate = 1e-2
    config.report.images = 4


def paper(config: ConfigDict) -> None:
    """ResNet-101 (give settings.weights), 4096 units; 100 epochs of the CE-VAE, 300 of the VAEGAN, which are 60 steps.

    Published for DAGM_MIX, classes with attributes of unseen ones (mode A): S 98.1 %, U 96.0 %, H 97.0 %.
    """
    config.train.update(steps=24120, log_every=100, save_every=1000)


def small(config: ConfigDict) -> None:
    """SqueezeNet features (give settings.weights), 256 units: about five seconds on two cores once features are there.

    Over all 45 pairs of unseen surfaces H 78 % on average, from 9 to 98 %; nearest_mean has 64 % (docs/two_stage.md).
    """
    synthetic(config, "squeezenet", 224)
    config.train.update(steps=400)
    config.settings.update(hidden=256, ce_hidden=256, ce_steps=150, average_steps=30, gan_steps=220)
    config.settings.update(learning_rate=1e-3, attribute_rate=3e-4, feedback_rate=1e-4, classifier_rate=1e-2)


def self_trained(config: ConfigDict) -> None:
    """As small, with a backbone of its own in place of SqueezeNet and a file of weights."""
    small(config)
    self_training(config, 200)
    config.train.steps = 600


def tiny(config: ConfigDict) -> None:
    """Seconds on one core; for tests, not for detection."""
    for_tests(config, 3)
    config.settings.update(hidden=16, ce_hidden=16, ce_steps=3, average_steps=2, gan_steps=10, critic_steps=2)
    config.settings.update(ce_rate=1e-2, learning_rate=1e-2, attribute_rate=1e-2, classifier_rate=1e-2)


PRESETS = {"paper": paper, "small": small, "self_trained": self_trained, "tiny": tiny}
