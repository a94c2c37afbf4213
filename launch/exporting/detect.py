"""python detect.py IMAGES --out OUT: finds defects by the model beside this file; needs onnxruntime, numpy, Pillow.

OUT gets detections.json and masks, white on defects. The exit status is 1 where an image could not be read.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp"}
SMALLEST = float(np.finfo(np.float32).tiny)  # Numbers below are 0 where the model comes from.


class Model:
    """Model(FOLDER)(image) gives score, defective, map, mask, pixel_threshold and more of an image that `read` gave."""

    def __init__(self, folder):
        import onnxruntime  # Here, so that the rest can be read without it.

        self.about = json.loads((Path(folder) / "model.json").read_text(encoding="utf-8"))
        self.session = onnxruntime.InferenceSession(Path(folder) / "model.onnx", providers=["CPUExecutionProvider"])

    def __call__(self, image):
        size, largest, channels = (self.about["image"][name] for name in ("size", "largest", "channels"))
        if image.shape != (*(size or np.minimum(image.shape[:2], largest or image.shape[:2])), channels):
            sides = f"{size or f'at most {largest}'} (launch.export --size: others)" if size or largest else "any size"
            raise ValueError(f"an image of {image.shape}; this model takes {sides} with {channels} channels")
        outputs = zip(self.session.get_outputs(), self.session.run(None, {"image": image[None]}), strict=True)
        found = {"map": None, "mask": None} | {output.name: value[0] for output, value in outputs}
        limits, row = self.about["thresholds"], {"score": float(found["score"])}
        if "surfaces" in self.about:  # Two stages: of a surface never seen, the distance is all there is.
            row |= {"surface": self.about["surfaces"][found["surface"]], "distance": float(found["distance"])}
            if row["distance"] > limits["distance"]["value"] or row["surface"] not in limits["surfaces"]:
                row |= {"score": None, "surface": None, "defective": None}
                return argparse.Namespace(row=row, mask=None, **row)
            limits = limits["surfaces"][row["surface"]]
        row["defective"] = int(row["score"] > limits["image"]["value"])
        if found["map"] is not None:
            level = row["pixel_threshold"] = float(found["level"]) if "level" in found else limits["pixel"]["value"]
            mask = found["map"] >= SMALLEST if abs(level) < SMALLEST else found["map"] > level
            found["mask"] = without_small(mask & bool(row["defective"]), limits["min_area"])  # None where it passes.
            row["defect_pixels"] = int(found["mask"].sum())
        return argparse.Namespace(row=row, **found | row)


def without_small(mask, least):
    """The mask without defects of fewer than `least` pixels. Pixels that touch, at a corner too, get one label."""
    labels, before = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0), None
    while least > 1 and not np.array_equal(labels, before):
        before, around = labels, np.lib.stride_tricks.sliding_window_view(np.pad(labels, 1), (3, 3))
        near = around.max((2, 3)) * mask
        labels = np.append(0, near)[near]
    return mask & (np.bincount(labels.ravel())[labels] >= least)


def read(path, channels):
    """An image file, upright, as uint8 [H, W, channels]: 16 bits become 8, transparency black, colour its luma."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode == "F" or (image.mode == "I" and not 0 <= min(image.getextrema()) <= max(image.getextrema()) < 65536):
        raise ValueError("pixels of no known range; save it as 8-bit or 16-bit grey")
    if image.mode.startswith("I"):
        image = Image.fromarray(((np.asarray(image).astype(np.int64) + 128) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
    return np.atleast_3d(np.asarray(image.convert("RGB").convert("L" if channels == 1 else "RGB")))


def main(images, out):
    """Looks at all images of a folder; returns the exit status."""
    model, rows = Model(Path(__file__).parent), []
    named = (path for path in images.rglob("*") if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    for path in sorted(path for path in named if not path.resolve().is_relative_to((out / "masks").resolve())):
        rows.append(row := {"image": str(path.relative_to(images))})
        try:
            found = model(read(path, model.about["image"]["channels"]))
            row |= found.row
            if found.mask is not None:
                (target := out / "masks" / f"{row['image']}.png").parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(found.mask.astype(np.uint8) * 255).save(target)
        except (ValueError, OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            row["error"] = f"{path}: {error}"
    out.mkdir(parents=True, exist_ok=True)
    (out / "detections.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")
    bad = [row["error"] for row in rows if "error" in row]
    found = [row.get("defective", 0) for row in rows]
    never = f", {found.count(None)} show a surface never seen" * ("surfaces" in model.about)
    print(*bad, f"{found.count(1)} of {len(rows)} images are defective{never}", sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    sys.exit(main(**vars(parser.parse_args())))
