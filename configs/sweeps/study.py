"""The autoencoder study: squared error or structural similarity, small nets or deep, frozen encoders (its Figure 7).

    python -m launch.sweep study --quick --weights squeezenet.h5
    python -m launch.sweep study --dataset mvtec --data FOLDER/hazelnut --weights squeezenet.h5
    python -m launch.sweep study --dataset mvtec --data FOLDER/hazelnut --weights resnet18.safetensors preset=paper

Figure 7 prints precision, recall and F1 of good and faulty images at a threshold that was tuned by hand on the test
images; here it is fitted on good images held out, and `oracle` is the best in hindsight. The study calls its simple
CAE with squared error its best, finds the multi-loss variant worse, and transfer learning no better than chance (50 %).
Its threshold is the q-th percentile of training errors; an image is faulty where enough pixels exceed it. AE-SSIM and
AE-L2 are Bergmann's network, which the study builds on, with either loss. Frozen encoders are the sweep `transfer`.
Feature Gaussian, PaDiM and PatchCore are yardsticks from beyond the study: they look through a pretrained network.
"""

TITLE = "Autoencoders: squared error or structural similarity"
SOURCE = "Garzo, Miklos and Herbai, Figure 7"
DETECTOR, PRESET = "cae", "small"
BASE = {"data.options.surfaces": (9,)}  # of the synthetic ones that most like leather
RUNS = {
    "CAE, MSE": {"detector": "cae"},
    "CAE, MSE + SSIM": {"detector": "cae", "settings.losses": ("mse", "ssim")},
    "SSIM-AE": {"detector": "ssim_ae"},
    "AE-SSIM": {"detector": "ae_ssim", "settings.loss": "ssim"},
    "AE-L2": {"detector": "ae_ssim", "settings.loss": "mse"},
    "Feature Gaussian": {"detector": "feature_gaussian"},
    "PaDiM": {"detector": "padim"},
    "PatchCore": {"detector": "patchcore"},
}
SEEDS = (0, 1, 2)
FIGURES = (
    "image.auroc", "image.accuracy", "image.report.good.precision", "image.report.good.recall", "image.report.good.f1",
    "image.report.defective.precision", "image.report.defective.recall", "image.report.defective.f1",
    "image.report.macro.f1", "image.report.weighted.f1", "image.oracle.f1", "pixel.auroc",
)  # fmt: skip
QUICK = {
    "train.steps": 60, "train.log_every": 20, "train.save_every": 60,
    "data.options.train": 20, "data.options.test_good": 6, "data.options.test_defective": 12,
}  # fmt: skip
PAPER = (
    (
        {"run": "CAE, MSE"},
        {
            "image.accuracy": 0.73, "image.report.good.precision": 0.60, "image.report.good.recall": 0.79,
            "image.report.good.f1": 0.68, "image.report.defective.precision": 0.84,
            "image.report.defective.recall": 0.69, "image.report.defective.f1": 0.76, "image.report.macro.f1": 0.72,
            "image.report.weighted.f1": 0.73,
        },
    ),
)  # fmt: skip
