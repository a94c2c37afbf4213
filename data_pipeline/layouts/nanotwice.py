"""NanoTWICE: scanning electron micrographs of nanofibres; defects are beads, films and clots.

    Normal/*.tif              5 normal images, 1024 x 700
    Anomalous/images/*.tif    defective images, 1024 x 696 (without the microscope's strip)
    Anomalous/gt/*_gt.png     their masks, 1-bit or with a palette of two colours

The set prescribes no split. Source: Carrera et al., Defect Detection in SEM Images of Nanofibrous Materials, IEEE TII
2017.
"""

from collections.abc import Iterator
from pathlib import Path

from data_pipeline.folders import images_in
from data_pipeline.images import listed
from data_pipeline.record import Record


def records(root: Path) -> Iterator[Record]:
    """The records of the set; root holds Normal and Anomalous."""
    for path in images_in(root / "Normal", "normal images (NanoTWICE: 5)"):
        yield Record(f"Normal/{path.stem}", path, None, 0, "good", "nanofibres", "")
    masks = {mask.stem.removesuffix("_gt"): mask for mask in listed(root / "Anomalous" / "gt")}
    for path in images_in(root / "Anomalous" / "images", "defective images (NanoTWICE: 40)"):
        yield Record(f"Anomalous/{path.stem}", path, masks.get(path.stem), 1, "anomaly", "nanofibres", "")
