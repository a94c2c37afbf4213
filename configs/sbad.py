"""SBAD: which surface an image shows, with an alarm for surfaces that were never seen; or its baseline, TF-VAEGAN.

python -m launch.train --detector sbad --weights squeezenet.h5
python -m launch.train --detector sbad --preset self_trained                  # no file of weights at all
python -m launch.train --detector sbad --preset tf_vaegan --weights squeezenet.h5
python -m launch.train --detector sbad --preset paper --dataset dagm2007 --data FOLDER --weights resnet101.safetensors
python -m launch.train --detector sbad data.unseen=Class3,Class7 --weights squeezenet.h5

Nothing of the unseen surfaces is used in mode B. The loss means something else in each phase (cross-entropy while the
backbone trains itself, then the error of redrawn features): leave train.restore=last and train.patience=0.
"""

from configs import surfaces

SETTINGS = surfaces.BACKBONE | {
    "mode": "B",  # what is known of unseen surfaces: B nothing; A, after training, their attributes
    "embedding": "learned",  # or real: attributes as they are annotated
    "tf_vaegan": False,  # the baseline in place of SBAD
    "hidden": 4096,  # units of each network's hidden layer
    "ce_hidden": 1024,  # of the CE-VAE's
    "ce_steps": 6000,  # of the CE-VAE
    "average_steps": 120,  # over which its codes are averaged
    "gan_steps": 18000,  # of the VAEGAN; in mode B to the end of train.steps, in mode A the classifier has the rest
    "stacking_steps": 0,  # in mode A, the last ones: they gather what calibrated stacking (ours) needs; 0 leaves it out
    "critic_steps": 5,  # updates of critic and Encoder-2 in each of them
    "ce_rate": 1e-3,
    "learning_rate": 1e-4,  # of Encoder-1, decoder and critic
    "attribute_rate": 1e-4,  # of Encoder-2
    "feedback_rate": 1e-5,  # of TF-VAEGAN's feedback
    "classifier_rate": 1e-3,  # of the classifier, which mode A ends with
    "attribute_weight": 3.0,  # w_r, of the error of attributes read off redrawn features
    "adversarial": 10.0,  # weight of the critic
    "penalty": 10.0,  # first weight of its gradient penalty, which adapts
    "feedback": 1.0,  # a1, weight of TF-VAEGAN's feedback
    "map_attributes": False,  # ours, in mode A: unseen attributes are mapped to where learned ones lie
    "ridge": 0.1,  # penalty of that map, a ridge regression over the seen surfaces
    "stacking_share": 0.01,  # of training images of seen surfaces that calibrated stacking lets be named unseen
}
BASE = surfaces.SURFACES | {"train.log_every": 20, "train.save_every": 200}
# SqueezeNet features, 256 units: about five seconds on two cores once features are there. Over all 45 pairs of unseen
# surfaces H 78 % on average, from 9 to 98 %; nearest_mean has 64 % (docs/two_stage.md).
SMALL = surfaces.DRAWN | surfaces.SQUEEZENET | {
    "train.steps": 400, "settings.hidden": 256, "settings.ce_hidden": 256, "settings.ce_steps": 150,
    "settings.average_steps": 30, "settings.gan_steps": 220, "settings.learning_rate": 1e-3,
    "settings.attribute_rate": 3e-4, "settings.feedback_rate": 1e-4, "settings.classifier_rate": 1e-2,
}  # fmt: skip
# As small, with a small network that it trains itself in place of SqueezeNet.
SELF_TRAINED = SMALL | surfaces.SELF_TRAINED | {"train.steps": 600}
# ResNet-101, 4096 units; 100 epochs of the CE-VAE, 300 of the VAEGAN; an epoch is 60 steps. Published for DAGM_MIX,
# classes with attributes of unseen ones (mode A): S 98.1 %, U 96.0 %, H 97.0 %.
PAPER = {"train.steps": 24120, "train.log_every": 100, "train.save_every": 1000}
TF_VAEGAN = {"settings.tf_vaegan": True, "settings.attribute_weight": 0.01}
PRESETS = {
    "small": SMALL,
    "self_trained": SELF_TRAINED,
    "paper": PAPER,
    "tf_vaegan": SMALL | TF_VAEGAN,
    "tf_vaegan_self_trained": SELF_TRAINED | TF_VAEGAN,
    "tf_vaegan_paper": PAPER | TF_VAEGAN,
}
