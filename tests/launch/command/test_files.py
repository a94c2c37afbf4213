"""A folder belongs to one process, and a file is there whole or not at all."""

import errno
import threading

import pytest

from launch.command import files


def test_a_folder_in_use_is_refused(tmp_path):
    with files.locked(tmp_path), pytest.raises(RuntimeError, match="in use by another process"), files.locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_in_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OSError, match="file cannot be written in .*; fix the permissions"),
        files.locked(tmp_path / "file"),
    ):
        pass


@pytest.mark.parametrize("kept", ["history.jsonl", "checkpoints/5", "made before"])
def test_a_folder_goes_again_after_an_error_where_nothing_is_in_it(tmp_path, kept):
    folder = tmp_path / "runs" / "a"
    for also in (None, kept):
        if also == "made before":
            folder.mkdir()
        with pytest.raises(ValueError), files.locked(folder, written_first=("config.json", "checkpoints")):
            (folder / "config.json").touch()
            (folder / "checkpoints").mkdir()
            if also and also != "made before":
                (folder / also).mkdir()
            raise ValueError
        assert folder.exists() == bool(also)
    with files.locked(folder):  # And can be taken.
        pass


def test_what_a_killed_process_left_is_overwritten(tmp_path):
    (tmp_path / ".page.html.tmp").write_text("half a page, and a long one")
    files.write_bytes(tmp_path / "page.html", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_bytes() == b"whole"


def test_two_that_write_one_file_wait_for_each_other(tmp_path):
    def write(number: int) -> None:
        for _ in range(20):
            files.write_bytes(tmp_path / "x", bytes([number]) * 1000)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(set((tmp_path / "x").read_bytes())) == 1 and (tmp_path / "x").stat().st_size == 1000
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_full_disk_is_called_one(tmp_path):
    said = "could not write .*map.npy .the disk is full: No space left .* free space"
    with pytest.raises(OSError, match=said), files.naming(tmp_path / "map.npy"):
        raise OSError(errno.ENOSPC, "No space left on device")
