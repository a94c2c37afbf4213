"""Checkpoints survive damage: flipped bits, missing and truncated files, empty folders."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdefect.training.checkpoint import Checkpoints, Damaged, OtherState, checksum
from tests.jaxdefect.training.checkpoints import PROGRESS, STATE, saved


def files_of(folder, step):
    return sorted((p for p in (folder / str(step)).rglob("*") if p.is_file()), key=lambda p: -p.stat().st_size)


def test_what_was_saved_is_restored(tmp_path):
    saved(tmp_path)
    step, state, progress = Checkpoints(tmp_path).restore(STATE)
    assert step == 10 and progress == PROGRESS and int(state["step"]) == 10
    np.testing.assert_array_equal(state["kernel"], STATE["kernel"])


def test_an_empty_folder_has_none(tmp_path):
    assert Checkpoints(tmp_path).restore(STATE) is None


def test_the_last_two_and_the_best_are_kept(tmp_path):
    saved(tmp_path, steps=(1, 2, 3, 4, 5), losses=(0.5, 0.1, 0.4, 0.3, 0.2))
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.steps() == [2, 4, 5]
    assert checkpoints.restore(STATE, best=True)[0] == 2


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "damage", [flip, truncate, lambda path: path.unlink()], ids=["flipped", "truncated", "missing"]
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, damage):
    saved(tmp_path / "c")
    damage(files_of(tmp_path / "c", 10)[0])
    with pytest.warns(UserWarning, match="10 is broken and set aside"):
        step, state, _ = Checkpoints(tmp_path / "c").restore(STATE)
    assert step == 5 and int(state["step"]) == 5
    assert not (tmp_path / "c" / "10").exists()
    Checkpoints(tmp_path / "c").save(10, STATE, loss=0.1, progress=PROGRESS)  # The place is free again.


def test_an_empty_step_folder_is_no_checkpoint(tmp_path):
    saved(tmp_path / "c")
    (tmp_path / "c" / "20").mkdir()
    with pytest.warns(UserWarning, match="20 is broken"):
        assert Checkpoints(tmp_path / "c").restore(STATE)[0] == 10


@pytest.mark.parametrize(
    "other",
    [STATE | {"memory": np.ones(3, np.float32)}, STATE | {"kernel": np.zeros(10, np.float32)}, {"step": np.int32(0)}],
    ids=["one more", "another shape", "fewer"],
)
def test_a_sound_checkpoint_of_another_state_is_left_in_place(tmp_path, other):
    saved(tmp_path / "c")
    with pytest.raises(OtherState, match="10 holds the state of another detector.*train in a new folder"):
        Checkpoints(tmp_path / "c").restore(other)
    assert Checkpoints(tmp_path / "c").restore(STATE)[0] == 10 and not (tmp_path / "c-broken").exists()


def test_nothing_sound_left_is_an_error(tmp_path):
    saved(tmp_path / "c")
    for step in (5, 10):
        flip(files_of(tmp_path / "c", step)[0])
    with (
        pytest.warns(UserWarning),
        pytest.raises(Damaged, match="no sound checkpoint in"),
    ):
        Checkpoints(tmp_path / "c").restore(STATE)


def test_a_checksum_sees_every_bit_name_and_shape():
    tree = {"a": jnp.zeros(3), "b": jnp.ones(2)}
    different = [{"a": jnp.zeros(3).at[1].set(-0.0), "b": jnp.ones(2)}, {"a": jnp.zeros((3, 1)), "b": jnp.ones(2)},
                 {"c": jnp.zeros(3), "b": jnp.ones(2)}, {"a": jnp.zeros(3, jnp.int32), "b": jnp.ones(2)}]  # fmt: skip
    assert len({checksum(t) for t in (tree, *different)}) == 5
    assert checksum(tree) == checksum({"b": np.ones(2, np.float32), "a": np.zeros(3, np.float32)})
