"""The command that draws flaws on one's own images, and what it refuses."""

import numpy as np
import pytest
from PIL import Image

from launch import flaws
from launch.command import start
from tests.launch.small_runs import SMALL

SHORT = [*SMALL, "--kinds", "spot,line", "--patch", "32"]


def test_a_sheet_is_drawn_and_depends_on_the_seed_alone(tmp_path, capsys):
    first = flaws.main([*SHORT, "--out", str(tmp_path / "new" / "first.png")])
    assert first == tmp_path / "new" / "first.png" and "Sheet: " in capsys.readouterr().out
    with Image.open(first) as sheet:
        assert sheet.format == "PNG" and sheet.mode == "RGB" and len(np.unique(np.asarray(sheet))) > 50
    again = flaws.main([*SHORT, "--out", str(tmp_path / "again.png")])
    other = flaws.main([*SHORT, "--out", str(tmp_path / "other.png"), "seed=1"])
    assert again.read_bytes() == first.read_bytes() != other.read_bytes()


@pytest.mark.parametrize("words, said", [
    (["--kinds", "spot,lines"], "no flaw is named 'lines'; did you mean 'line'?"),
    (["--patch", "130"], "is 64 x 64 pixels, smaller than 65, what train.patch = 130 needs; use a smaller patch"),
    (["--patch", "-3"], "at least 16 x 16 pixels, got -3 x -3"),
])  # fmt: skip
def test_what_cannot_be_drawn_is_refused_in_a_line(words, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        start.run(flaws.main, [*SHORT, *words, "--out", str(tmp_path / "sheet.png")])
    printed = capsys.readouterr().err
    assert stop.value.code == 1 and said in printed and printed.count("error:") == 1
    assert list(tmp_path.iterdir()) == []
