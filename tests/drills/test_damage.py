"""Every file of a run is damaged in turn: what a command says then is true, and the remedy it names works."""

from random import Random

import pytest

from tests.drills.damage import COMMANDS, DAMAGES, IN_A_ROW, files_of, flip, in_a_row, other_type, trial

WORST = (  # (file, damage, command)
    ("result.json", flip, "evaluate"), ("result.json", other_type, "detect"), (".config", flip, "detect"),
    ("config.json", other_type, "evaluate"), ("predictions.csv", flip, "report"),
    ("calibrated/20/about/metadata", flip, "detect"), ("checkpoints/20/about/metadata", flip, "train"),
)  # fmt: skip


@pytest.mark.drill
@pytest.mark.parametrize("name, damage, command", WORST, ids=lambda part: getattr(part, "__name__", part))
def test_the_worst_damages_are_recovered_or_named(whole, tmp_path, name, damage, command):
    assert trial(whole, tmp_path, [(name, damage)], command, Random(0)) == ""


@pytest.mark.drill
def test_every_file_damaged_in_turn_is_recovered_or_named(whole, tmp_path):
    """Each file in two of the ways, by a command each, so that all ways and commands meet all kinds of files."""
    unsound, tried = {}, 0
    for number, name in enumerate(files_of(whole.run)):
        for turn in range(2):
            damage = DAMAGES[(number + 3 * turn) % len(DAMAGES)]
            command = COMMANDS[(number // 2 + turn) % len(COMMANDS)]
            wrong = trial(whole, tmp_path, [(name, damage)], command, Random(f"{name} {turn}"))
            unsound |= {(name, damage.__name__, command): wrong} if wrong else {}
            tried += 1
    print(f"{tried} tried, {tried - len(unsound)} sound")
    assert unsound == {}


@pytest.mark.drill
def test_a_hundred_damages_in_a_row_each_followed_by_its_remedy(whole, tmp_path):
    assert list(in_a_row(whole, tmp_path / "run", Random(0))) == IN_A_ROW * [""]
