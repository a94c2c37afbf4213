"""One training and test of anomalib's DRAEM or GANomaly: what `peers` has the Python of anomalib's environment run.

    anomalib-env/bin/python -I peer_anomalib.py JOB.json

Nothing of ours is imported here, and nothing of ours imports this. It leaves measured.json, scores.npy and, where the
model has a map, maps.npy in the job's folder, as `peers.figures_of` reads them.
"""

import importlib.metadata
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch
from anomalib.data import Folder
from anomalib.models import Draem, Ganomaly
from anomalib.models.image.draem.torch_model import DiscriminativeSubNetwork, ReconstructiveSubNetwork
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

WITHOUT = {"post_processor": False, "evaluator": False, "visualizer": False}
TOLD = ("anomalib", "torch", "lightning")


class Clock(Callback):
    """The seconds of each step, reading its batch left out; stops after so many, however many optimisers there are."""

    def __init__(self, steps: int):
        self.steps, self.seconds, self.started = steps, [], 0.0

    def on_train_batch_start(self, *about: object) -> None:
        """Before a batch."""
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, *about: object) -> None:
        """After its updates."""
        self.seconds.append(time.perf_counter() - self.started)
        trainer.should_stop = len(self.seconds) >= self.steps


def model_of(job: dict) -> LightningModule:
    """The model by its defaults, for images of the job's size; of DRAEM, as narrow as `base` says."""
    size = (job["side"], job["side"])
    if job["detector"] == "draem":  # Flaws are filled with training images: the textures it likes are a download.
        draem = Draem(dtd_dir=job["train"], pre_processor=Draem.configure_pre_processor(size), **WITHOUT)
        if job["base"]:
            redraws, outlines = job["base"]
            draem.model.reconstructive_subnetwork = ReconstructiveSubNetwork(base_width=redraws)
            draem.model.discriminative_subnetwork = DiscriminativeSubNetwork(6, 2, base_width=outlines)
        return draem
    made = Ganomaly.configure_pre_processor(size)
    return Ganomaly(batch_size=job["batch"], pre_processor=made, **WITHOUT)


def train(model: LightningModule, job: dict) -> list[float]:
    """The seconds of each step."""
    data = Folder(name="images", root=job["root"], normal_dir="train/good", num_workers=0,
                  train_batch_size=job["batch"], test_split_mode="none", val_split_mode="none")  # fmt: skip
    data.setup()
    batches = DataLoader(data.train_data, job["batch"], shuffle=True, drop_last=True,
                         collate_fn=data.train_data.collate_fn)  # fmt: skip
    clock = Clock(job["steps"])
    trainer = Trainer(
        accelerator="cpu", max_epochs=-1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[clock], default_root_dir=job["out"], **model.trainer_arguments,
    )  # fmt: skip
    trainer.fit(model, train_dataloaders=batches)
    return clock.seconds[: job["steps"]]


def score(model: LightningModule, job: dict) -> tuple[list[float], float]:
    """The seconds of each image, from array to score and map, which are written; and the operations of one."""
    seconds, scores, maps = [], [], []
    shown = [np.array(Image.open(path).convert("RGB")) for path in job["test"]]
    as_batch = lambda image: torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    model.eval()
    with torch.inference_mode():
        for image in shown:
            started = time.perf_counter()
            found = model(as_batch(image))
            scores.append(found.pred_score.numpy().reshape(()))
            if found.anomaly_map is not None:
                maps.append(found.anomaly_map.numpy().reshape(image.shape[:2]))
            seconds.append(time.perf_counter() - started)
        with FlopCounterMode(display=False) as counter:
            model(as_batch(shown[0]))
    np.save(Path(job["out"]) / "scores.npy", np.array(scores, np.float32))
    if maps:
        np.save(Path(job["out"]) / "maps.npy", np.array(maps, np.float32))
    return seconds, counter.get_total_flops()


def peak_mb() -> float:
    """The most memory that this process ever held, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main(path: Path) -> None:
    """The job of a file."""
    job = json.loads(path.read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    begun = time.perf_counter()
    model = model_of(job)
    steps = train(model, job)
    trained = time.perf_counter() - begun
    seconds, operations = score(model, job)
    versions = {name: importlib.metadata.version(name) for name in TOLD} | {"Python": platform.python_version()}
    measured = {
        "steps_s": steps, "images_s": seconds, "train_s": trained, "memory_mb": peak_mb(), "versions": versions,
        "weights": sum(weight.numel() for weight in model.model.parameters()), "image_flops": operations,
    }  # fmt: skip
    (path.parent / "measured.json").write_text(json.dumps(measured), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
