"""Images from a folder (or a generator) to training patches: `load` a dataset, then stream `patches` of one of its
splits.

Images on the host are uint8 [H, W, C], masks uint8 [H, W] in {0, 1}; label 1 is defective.
"""

from data_pipeline.labelled import labelled
from data_pipeline.load import Dataset, Mix, Split, load
from data_pipeline.patches import patches
from data_pipeline.record import Record, Sample

__all__ = ["Dataset", "Mix", "Record", "Sample", "Split", "labelled", "load", "patches"]
