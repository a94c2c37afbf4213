"""The record of a training: what is read of it after a kill, and what a resumed run writes again."""

from launch.run.history import TrainingLog, read_history


def test_what_cannot_be_read_is_counted_and_left_out(tmp_path):
    path = tmp_path / "history.jsonl"
    assert read_history(path) == ([], 0)
    path.write_text('{"step": 5, "loss": 2.0}\n[1]\n{"loss": 1.0}\n\n{"step": 10, "loss": 1.0}\n{"step": 15, "lo')
    lines, unreadable = read_history(path)
    assert [line["step"] for line in lines] == [5, 10] and unreadable == 3


def test_a_resumed_run_writes_the_lines_after_its_checkpoint_again(tmp_path):
    for resumed in (False, True):
        log = TrainingLog(tmp_path, steps=20, bar=None)
        for step in range(15 if resumed else 5, 21, 5):
            log(step, {"loss": float(step + 100 * resumed)})
        log.close()
        with (tmp_path / "history.jsonl").open("a") as file:
            file.write('{"step": 2')  # As a kill leaves it.
    lines, unreadable = read_history(tmp_path / "history.jsonl")
    assert [(line["step"], line["loss"]) for line in lines] == [(5, 5.0), (10, 10.0), (15, 115.0), (20, 120.0)]
    assert unreadable == 1
