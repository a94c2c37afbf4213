"""Every test runs away from the user's caches; compiled programs are shared by all, and kept for the next session."""

import contextlib
import importlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

MANY = 20000  # pieces of mapped memory
KEPT = 7 * 24 * 3600  # seconds that a compiled program is kept for the next session
FIRST = "JAXDEFECT_TESTS" not in os.environ  # in the process that starts the others
SESSION = Path(os.environ.setdefault("JAXDEFECT_TESTS", tempfile.mkdtemp(prefix="jaxdefect-tests-") if FIRST else ""))
os.environ["JAXDEFECT_CACHE"] = str(SESSION / "cache")
# Compiling is most of the tests' time. A program's name there is a digest of all that it was compiled from.
COMPILED = Path(__file__).parents[1] / ".pytest_cache" / "d" / "compiled"  # where pytest lets others keep things
COMPILED = Path(os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(COMPILED)))
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
start = importlib.import_module("launch.command.start")
# As the commands do, some of which the tests start in processes of their own.
start.use_all_cores()
start.collect_seldom()
# Tests run a program a few times, and compiling is most of their time, of which these save a third on CPU.
start.xla_flags("--xla_backend_optimization_level=1", "--xla_cpu_use_fusion_emitters=false")
importlib.import_module("jax")  # It reads the above.


def pytest_configure(config) -> None:
    """The fast suite compiles without optimising, which saves a fourth of its time. Drills, which compare more of what
    is compiled in two ways, do not.
    """
    if config.option.markexpr == "not drill":
        unoptimised(True)


def unoptimised(value: bool) -> None:
    """Here and in processes that are started from now on."""
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(value))
    sys.modules["jax"].config.update("jax_disable_most_optimizations", value)


@pytest.fixture
def optimised():
    """What is compiled in a test is what a user runs: for one that compares what is compiled in two ways."""
    before = os.environ.get("JAX_DISABLE_MOST_OPTIMIZATIONS") == "1"
    sys.modules["jax"].clear_caches()
    unoptimised(False)
    yield
    unoptimised(before)
    sys.modules["jax"].clear_caches()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items) -> None:
    """Tests of a file stay in one process and share its fixtures, unless they name a group of their own."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))


@pytest.fixture
def real_images() -> Path:
    """The folder of real images, or a skip."""
    root = os.environ.get("JAXDEFECT_DATA")
    if not root:
        pytest.skip("no real images: set JAXDEFECT_DATA to the folder that holds the datasets")
    return Path(root)


@pytest.fixture
def backbones_are_drawn_quickly(monkeypatch) -> None:
    """Random weights of backbones come from NumPy."""
    from jaxdefect import backbones
    from tests.jaxdefect.backbones.drawn_backbones import drawn

    monkeypatch.setattr(backbones, "init", lambda backbone, key: drawn(backbone.name))


@pytest.fixture
def real_weights() -> Path:
    """Keras' weights of SqueezeNet 1.1, or a skip."""
    root, name = os.environ.get("JAXDEFECT_WEIGHTS"), "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
    if not root:
        pytest.skip("no real weights: set JAXDEFECT_WEIGHTS to a folder that holds those of Keras' SqueezeNet 1.1")
    return next(Path(root).rglob(name), None) or pytest.skip(f"no {name} in {root}")


def pytest_sessionstart() -> None:
    old = time.time() - KEPT
    for program in COMPILED.glob("*-cache") if FIRST else ():
        if program.stat().st_mtime < old:
            program.unlink(missing_ok=True)


def pytest_sessionfinish() -> None:
    if FIRST:
        shutil.rmtree(SESSION, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def bounded_memory():
    """Drops compiled programs after each file: each maps memory, of which a process may have 65530 pieces."""
    yield
    sys.modules["jax"].clear_caches()


@pytest.fixture(autouse=True)
def bounded_memory_within_a_file():
    """The same after a test that leaves many pieces: files that compile every detector would come near the limit."""
    yield
    with contextlib.suppress(FileNotFoundError):  # Linux alone has this file, and this limit.
        if Path("/proc/self/maps").read_bytes().count(b"\n") > MANY:
            sys.modules["jax"].clear_caches()
