"""The table of pruned detectors."""

from launch.benchmarks import pruning as benchmark


def test_the_table_holds_both_detectors():
    row = {"side": 64, "full_weights": 4000, "pruned_weights": 1000, "full_ms": 30.0, "pruned_ms": 10.0}
    text = benchmark.as_section({"keep": 0.5, "detectors": {"DAE": row}}, machine="here", command="that")
    assert "| DAE, 64 x 64 | 4,000 | 1,000 | **4.0x** | 30.0 ms | 10.0 ms | **3.0x** |" in text
