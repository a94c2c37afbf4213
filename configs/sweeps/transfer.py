"""The autoencoder study's transfer learning: a decoder on a pretrained encoder, frozen or trained further.

    python -m launch.sweep transfer --dataset mvtec --data FOLDER/hazelnut --weights squeezenet.h5
    python -m launch.sweep transfer --dataset mvtec --data FOLDER/hazelnut --weights vgg19.safetensors preset=paper

The study reports an accuracy of 50 % for its best, a frozen VGG-19, and that fine-tuning drew nothing one could make
out. Images are redrawn at 32 x 32 pixels.
"""

TITLE = "Autoencoders on a pretrained encoder"
SOURCE = "Garzo, Miklos and Herbai, Section 3.2.2"
DETECTOR, PRESET = "transfer_ae", "small"
AXES = ({"encoder": ("frozen", "fine-tuned"), "settings.frozen": (True, False)},)
SEEDS = (0, 1, 2)
FIGURES = ("image.accuracy", "image.auroc", "image.report.macro.f1", "image.oracle.f1", "pixel.auroc")
QUICK = {
    "train.steps": 60, "train.log_every": 20, "train.save_every": 60, "data.options.surfaces": (4,),
    "data.options.train": 20, "data.options.test_good": 6, "data.options.test_defective": 12,
}  # fmt: skip
PAPER = (({"encoder": "frozen"}, {"image.accuracy": 0.50}),)
