"""The one sentence of a page: what was found, missed and falsely alarmed, and how the outlines fit."""

import pytest

from launch.page.run_folder import Prediction
from launch.page.verdict import outcomes_of, verdict


def images(label, predicted, count, **pixels):
    pixels = {"recall": None, "defect_pixels": None, "predicted_pixels": None} | pixels
    row = {"id": "", "surface": "", "kind": "", "score": 0.0, "threshold": 0.5, "precision": None, "f1": None}
    return [Prediction(label=label, predicted=predicted, **row, **pixels)] * count


FOUND = images(1, 1, 24, recall=1.0, defect_pixels=100.0, predicted_pixels=500.0)
PASSED = images(0, 0, 16)


@pytest.mark.parametrize(
    "predictions, sentence",
    [
        (FOUND + PASSED, "All 24 defective images found, no false alarm among 16 good ones; outlines are 5 times as "
         "large as the defects."),
        (images(1, 1, 3) + images(1, 0, 2) + images(0, 1, 1) + images(0, 0, 3),
         "3 of 5 defective images found, 2 missed, 1 false alarm among 4 good ones."),
        (images(1, 0, 7) + images(0, 1, 2), "None of 7 defective images found, false alarms on all 2 good ones."),
        (images(1, 1, 1), "The one defective image found, none that is good was tested."),
        (PASSED[:1], "No defective image was tested, no false alarm among 1 good one."),
        (images(None, None, 4), ""),
        ([], ""),
    ],
)  # fmt: skip
def test_a_test_in_one_sentence(predictions, sentence):
    assert verdict(predictions) == sentence


@pytest.mark.parametrize(
    "defective, marked, recall, words",
    [
        (100, 100, 0.9, "outlines cover 90 % of the defective pixels, and 90 % of what they mark is defective"),
        (100, 250, 0.9, "outlines are 2.5 times as large as the defects"),
        (100, 1234, 0.9, "outlines are 12 times as large as the defects"),
        (100, 20, 0.15, "outlines cover only 15 % of the defective pixels."),
        (100, 300, 0.3, "outlines cover only 30 % of the defective pixels, and 90 % of what they mark is good"),
        (100, 0, 0.0, "nothing is outlined in them"),
    ],
)
def test_outlines_are_judged_by_their_pixels(defective, marked, recall, words):
    found = images(1, 1, 4, recall=recall, defect_pixels=float(defective), predicted_pixels=float(marked))
    missed = images(1, 0, 9, recall=0.0, defect_pixels=1e6, predicted_pixels=1e6)  # Nobody looks at these outlines.
    assert words in verdict(found + missed)


def test_unknown_surfaces_raise_alarms_and_are_not_found():
    said = verdict(images(1, 1, 3) + images(1, 0, 1) + PASSED, surfaces=True)
    assert (
        said
        == "3 of 4 images of unknown surfaces raised the alarm; no false alarm among 16 images of a learnt surface."
    )
    assert outcomes_of(images(1, 1, 3)) == (3, 0, 0, 0)
