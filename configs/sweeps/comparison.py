"""Every detector that says where or whether an image is defective, each at the size that two cores can train.

    python -m launch.sweep comparison --quick --weights squeezenet.h5
    python -m launch.sweep comparison --dataset nanotwice --data FOLDER --weights squeezenet.h5
    python -m launch.sweep comparison --dataset aitex --data FOLDER data.options.tile=256 --weights squeezenet.h5

Classical methods and yardsticks on features of a pretrained network stand beside the papers' own methods. The
supervised ones, last, learn from half of the defective images; their figures are of the other half. docs/detectors.md
is written from the results.
"""

TITLE = "Detectors side by side"
SOURCE = "all five papers, and yardsticks from beyond them"
DETECTOR, PRESET = "renet_d", "small"
SUPERVISED = {"data.train_defective_fraction": 0.5, "data.options.train_defective": 40}
RUNS = {
    "renet_d": {"preset": "tuned"},
    **{name: {"detector": name, "preset": "paper"} for name in ("phot", "lca", "dct")},
    **{name: {"detector": name} for name in ("mscdae", "maa", "dae")},
    "dae_skip": {"detector": "dae", "settings.skip": True},
    **{name: {"detector": name} for name in ("anogan", "efficient_gan", "ganomaly", "cvae_gan", "alocc", "f_anogan")},
    **{name: {"detector": name} for name in ("memae", "cae")},
    "cae_multiloss": {"detector": "cae", "settings.losses": ("mse", "ssim")},
    **{name: {"detector": name} for name in ("ssim_ae", "transfer_ae")},
    "ae_ssim": {"detector": "ae_ssim", "data.size": 256},  # Its patches of 128 pixels must fit into every image.
    **{name: {"detector": name} for name in ("feature_gaussian", "padim", "patchcore")},
    **{name: {"detector": name, **SUPERVISED} for name in ("cnn_classifier", "resnet_classifier", "faster_rcnn")},
    "segdec": {"detector": "segdec", "data.size": 256, **SUPERVISED},
}
SEEDS = (0,)
FIGURES = ("image.auroc", "pixel.auroc", "image.ap", "pixel.oracle.f1", "pixel.pro", "timings.score_ms_per_image")
QUICK = {
    "train.steps": 20, "train.log_every": 10, "train.save_every": 20, "data.options.train": 20,
    "data.options.test_good": 6, "data.options.test_defective": 12, "data.options.surfaces": (4,),
}  # fmt: skip
