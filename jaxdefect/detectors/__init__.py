"""One file per detector: `make(*, settings...) -> Detector`, found by its file name (`jaxdefect.load`).

What several detectors share stands in the other folders of jaxdefect; detectors do not import one another.
"""
