"""Transfer autoencoder: a network known from ImageNet sees the image, a decoder redraws it at 32 x 32 pixels.

python -m launch.train --detector transfer_ae --weights vgg19.safetensors
python -m launch.train --detector transfer_ae --preset small --weights squeezenet.h5
python -m launch.train --detector transfer_ae --preset small --dataset mvtec --data FOLDER data.channels=3 \\
    --weights squeezenet.h5
python -m launch.train --detector transfer_ae --preset paper --weights vgg19.safetensors settings.frozen=False

The source reports an accuracy of 50 % for the frozen front end on hazelnuts, and drawings of nothing for the fine-tuned
one: a point of comparison, not a detector to rely on.
"""

from configs import base

SETTINGS = {
    "backbone": "vgg19",  # resnet18, resnet50, resnet101, squeezenet, vgg16, vgg19, small
    "backbone_width": 16,  # channels of the first map of `small`
    "frozen": True,  # the decoder alone learns
    "size": 224,  # pixels a side of what the front end sees
    "width": 32,  # channels of the decoder's last layer; each one before has twice as many
    "learning_rate": 1e-3,  # of Adam
    "decay": 0.5,  # the learning rate is multiplied by it
    "decay_every": 2000,  # after so many steps
}
# Thresholds are fitted on images held out: few training images are soon known by heart.
BASE = base.at_size(224) | {"train.steps": 5000, "train.batch": 32, "train.save_every": 500}
PRESETS = {
    "paper": {},  # VGG-19, frozen, for an accelerator; the source names no numbers but the 32 x 32 pixels.
    # SqueezeNet at 128 x 128 pixels. 22 good hazelnuts in colour, tested on 6 good and 17 painted ones: image AUROC
    # 1.00, pixel AUROC 0.96, accuracy 0.91 at the fitted threshold. 40 seconds of processor time.
    "small": base.TWO_CORES | base.at_size(128) | {
        "settings.backbone": "squeezenet", "settings.learning_rate": 3e-3, "settings.decay_every": 200,
    },
}  # fmt: skip
