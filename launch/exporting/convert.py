"""A JAX function as an ONNX graph, by jax2onnx.

It is traced first, and what depends on no input (prepared weights, matrices of a resize) is computed once here: the
graph is smaller, and what only weights go through need not be known to ONNX.
"""

import contextlib
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core

NEEDED = ("jax2onnx", "onnx", "onnxruntime")
MISSING = (
    "which is not installed; run JAXDEFECT_EXTRAS=dev,export ./in_venv python -m launch.export RUN OUT, which adds it"
)
LARGEST = 2**22  # numbers that are computed beforehand at most, where that makes more of them: a larger file
INLINED = ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "checkpoint", "remat", "remat2")
# What jax2onnx cannot write down, and what it is for.
WITHOUT_FORM = {
    "fft": "it looks at the two-dimensional Fourier transform of an image, which ONNX has no operator for",
    "svd": "its score takes singular values, which ONNX has no operator for",
    "eigh": "its score takes eigenvalues, which ONNX has no operator for",
}


def check_installed() -> None:
    """Raises RuntimeError with the remedy where a library for exporting is missing."""
    for name in NEEDED:
        try:
            __import__(name)
        except ImportError as error:
            raise RuntimeError(f"exporting needs {name}, {MISSING} ({error})") from error


def to_onnx(
    function: Callable[..., Sequence[jax.Array]],
    inputs: dict[str, jax.ShapeDtypeStruct],
    names: Sequence[str],
    *,
    opset: int,
) -> Any:
    """The ModelProto of a function of arrays to several: named inputs, in their order, and outputs `names`.

    Raises ValueError, naming the operation, where it has none.
    """
    import jax2onnx

    logging.getLogger("onnx_ir").setLevel(logging.ERROR)  # It warns of types that onnxruntime infers.
    seen = list(inputs.values())
    traced = jax.make_jaxpr(function)(*seen)
    simple = jax.make_jaxpr(lambda *x: evaluate(traced.jaxpr, traced.consts, *x))(*seen)
    used = {equation.primitive.name for equation in every_equation(simple.jaxpr)}
    for name in sorted(used & WITHOUT_FORM.keys()):
        raise ValueError(WITHOUT_FORM[name])
    try:
        with restored(jnp):
            return jax2onnx.to_onnx(
                core.jaxpr_as_fun(simple), seen, opset=opset, input_names=list(inputs), output_names=list(names)
            )
    except Exception as error:  # Whatever a plugin meets: there are hundreds, with errors of all kinds.
        raise ValueError(f"jax2onnx has no form for one of its operations ({type(error).__name__}: {error})") from error


@contextlib.contextmanager
def restored(module: Any) -> Iterator[None]:
    """Gives a module back as it was: jax2onnx 0.17 leaves its own jnp.cumsum there, which refuses a positional axis."""
    before = dict(vars(module))
    try:
        yield
    finally:
        for name, value in before.items():
            if getattr(module, name) is not value:
                setattr(module, name, value)


def evaluate(jaxpr: Any, constants: Sequence[Any], *inputs: Any) -> list[Any]:
    """What a jaxpr gives, with what depends on constants alone computed now, not staged."""
    known = {**dict(zip(jaxpr.constvars, constants, strict=True)), **dict(zip(jaxpr.invars, inputs, strict=True))}
    read = lambda variable: variable.val if isinstance(variable, core.Literal) else known[variable]
    for equation in jaxpr.eqns:
        results = step(equation, [read(variable) for variable in equation.invars])
        known.update(zip(equation.outvars, results, strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def step(equation: Any, values: list[Any]) -> list[Any]:
    """The results of one equation."""
    name, given = equation.primitive.name, [variable.aval for variable in equation.outvars]
    inner = next((equation.params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in equation.params), None)
    if name in INLINED and inner is not None:
        closed = hasattr(inner, "consts")
        return evaluate(inner.jaxpr if closed else inner, inner.consts if closed else (), *values)
    if all(math.prod(aval.shape) == 0 for aval in given):  # To ONNX's Reshape, 0 is no length but "as before".
        return [jnp.zeros(aval.shape, aval.dtype) for aval in given]
    if name == "concatenate":
        values = [value for value in values if value.size]
    if name == "scatter-add" and not values[1].size and values[0].shape == values[2].shape:  # to all of it, at no index
        return [values[0] + values[2]]
    if name == "reduce_window_min" and jnp.issubdtype(given[0].dtype, jnp.floating):  # jax2onnx knows the maximum.
        return [-lax.reduce_window_max_p.bind(-values[0], **equation.params)]
    computed = math.prod(given[0].shape) <= max(LARGEST, *(getattr(value, "size", 1) for value in values), 1)
    if computed and not any(isinstance(value, jax.core.Tracer) for value in values):
        with jax.ensure_compile_time_eval():
            results = equation.primitive.bind(*values, **equation.params)
    else:
        results = equation.primitive.bind(*values, **equation.params)
    return list(results) if equation.primitive.multiple_results else [results]


def every_equation(jaxpr: Any) -> list[Any]:
    """The equations of a jaxpr and of those inside of them."""
    found = []
    for equation in jaxpr.eqns:
        found.append(equation)
        for value in equation.params.values():
            for inner in value if isinstance(value, (list, tuple)) else [value]:
                if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                    found += every_equation(getattr(inner, "jaxpr", inner))
    return found
