"""How an image goes through the two stages. A trained system as a whole: tests/launch/test_two_stage.py."""

from types import SimpleNamespace

import pytest

from launch.run.prediction import Prediction
from launch.system import inspection


@pytest.mark.parametrize(("distance", "surface"), [(0.9, 0), (0.1, 1)])
def test_an_image_far_from_all_surfaces_or_taken_for_one_never_seen_raises_the_alarm(monkeypatch, distance, surface):
    looked_at = SimpleNamespace(originals=lambda images: [Prediction(distance, surface=surface) for _ in images])
    monkeypatch.setattr(inspection, "Predictor", lambda run, tiles: looked_at)
    data = SimpleNamespace(attributes={"known": (1,), "new": (0,)}, attribute_names=())
    first = SimpleNamespace(config=SimpleNamespace(data=data))
    system = inspection.System(first, 0.5, {"known": None})
    (seen,) = inspection.look(system, [None])
    event = inspection.judge(system, "a.png", seen).event
    assert (event["event"], event["surface"], event["defect_score"]) == ("unseen", None, None)
