"""A network known from ImageNet as a classifier: good or defective, or kinds of defect, from labels alone.

python -m launch.train --detector resnet_classifier --weights resnet18.safetensors
python -m launch.train --detector resnet_classifier --preset small --weights squeezenet.h5
python -m launch.train --detector resnet_classifier --preset small --dataset magnetic_tile --weights squeezenet.h5
python -m launch.train --detector resnet_classifier ... train.supervision=kinds

Half of the defective images are trained on, or held out for the threshold; their outlines are not used. Each batch
holds as many defective as good images, or as many of each kind. Frozen features of random weights tell little: without
a file of weights take settings.frozen=False, or the detector cnn_classifier.
"""

from configs import base

SETTINGS = {
    "backbone": "resnet18",  # resnet18, resnet50, resnet101, squeezenet, vgg16, vgg19, small
    "backbone_width": 16,  # channels of the first map of `small`
    "frozen": False,  # only the head learns
    "size": 224,  # pixels a side, as data.size and as the networks were trained on ImageNet
    "learning_rate": 1e-4,  # of Adam
    "decay": 0.1,  # the learning rate is multiplied by it
    "decay_every": 2000,  # after so many steps
}
BASE = base.LABELLED | {"data.size": 224, "train.steps": 4000, "train.batch": 32}
PRESETS = {
    "paper": {},  # ResNet-18, all of it learning, for an accelerator; the survey names no values.
    # The frozen features of SqueezeNet, of which the head alone learns. Magnetic tile, 96 good and 102 defective
    # images: AUROC 0.96, AP 0.99; three kinds of defect and good images are told apart with an accuracy of 0.83 after
    # 240 steps. 50 seconds of processor time.
    "small": base.DRAWN_DEFECTS | base.TWO_CORES | {
        "settings.backbone": "squeezenet", "settings.frozen": True, "settings.learning_rate": 3e-3,
        "settings.decay_every": 250,
    },
}  # fmt: skip
