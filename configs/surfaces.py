"""What the configs of detectors that tell surfaces apart share."""

from configs.attributes import attribute_fields

# Good and defective images alike, two surfaces unseen; the surfaces of configs/attributes.csv.
SURFACES = attribute_fields() | {
    "data.surfaces_as_classes": True, "data.unseen": ("Class8", "Class10"), "train.supervision": "surfaces",
    "train.patch": 0, "train.batch": 64, "threshold.image_rule": "quantile", "threshold.quantile": 0.95,
}  # fmt: skip
BACKBONE = {  # settings
    "backbone": "resnet101",  # resnet18, resnet50, resnet101, squeezenet, vgg16, vgg19, small
    "backbone_width": 16,  # channels of the first map of `small`
    "backbone_size": 224,  # pixels a side of what the backbone looks at
    "backbone_steps": 0,  # in which it first learns to tell the seen surfaces apart
    "backbone_rate": 1e-3,
}
# Ten drawn surfaces of 128 x 128 pixels.
DRAWN = {
    "data.options.surfaces": tuple(range(1, 11)), "data.options.size": 128, "data.options.train": 40,
    "data.options.train_defective": 40, "data.options.test_good": 20, "data.options.test_defective": 20,
}  # fmt: skip
SQUEEZENET = {"settings.backbone": "squeezenet"}
# A small network in place of the backbone, trained on the seen surfaces: 64 x 64 pixels, no file of weights.
SELF_TRAINED = {
    "data.size": 64, "train.patch": 64, "train.batch": 32, "settings.backbone": "small", "settings.backbone_width": 8,
    "settings.backbone_size": 64, "settings.backbone_steps": 200,
}  # fmt: skip
