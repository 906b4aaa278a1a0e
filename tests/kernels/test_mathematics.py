"""Exponential, logarithm and sine of kernels/base/mathematics.cuh: accurate, and the same however they are compiled."""

from __future__ import annotations

import ctypes

import numpy as np

from hpcsnn.devices.host import DEFAULT_OPTIMISATION, compile_library
from hpcsnn.shipped_files import kernel_folder
from support.formulas import exponential, logarithm, sine_of_turns

F = np.float32


def compiled(*flags):
    parts = ["".join((kernel_folder() / "base" / f"{name}.cuh").read_text() for name in ("device", "mathematics"))]
    for name in ("exponential", "logarithm", "sine_of_turns"):
        loop = f"for (int k = 0; k < n; ++k) y[k] = {name}(x[k]);"
        parts.append(f'extern "C" void {name}_of(const float* x, float* y, int n) {{ INDEPENDENT_ITERATIONS\n{loop} }}')
    library = ctypes.CDLL(str(compile_library("\n".join(parts), flags)))

    def call(name, x):
        y = np.empty_like(x)
        getattr(library, f"{name}_of")(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data), x.size)
        return y

    return call


def test_exponential_and_logarithm_are_accurate_and_the_same_at_every_optimisation():
    every_997th = np.arange(0, 2**32, 997, dtype=np.uint64).astype(np.uint32).view(np.float32)
    vectorised, plain = compiled(*DEFAULT_OPTIMISATION), compiled("-O0")
    x = every_997th[~np.isnan(every_997th)]
    inside = {"exponential": (x > -87.3) & (x < 88.72), "logarithm": (x > 0) & np.isfinite(x)}
    for name, exact in (("exponential", np.exp), ("logarithm", np.log)):
        y = vectorised(name, x)
        np.testing.assert_array_equal(y.view(np.uint32), plain(name, x).view(np.uint32))
        expected = exact(x[inside[name]].astype(np.float64))
        units = np.abs(y[inside[name]] - expected) / np.spacing(np.abs(expected).astype(F))
        assert units.size > 2_000_000
        assert units.max() < 1.0
    np.testing.assert_array_equal(vectorised("exponential", x), exponential(x))
    above = x[(x >= F(2.0**-126)) & np.isfinite(x)]
    np.testing.assert_array_equal(vectorised("logarithm", above), logarithm(above))


def test_a_sine_is_accurate_exact_at_quarters_and_the_same_at_every_optimisation():
    vectorised, plain = compiled(*DEFAULT_OPTIMISATION), compiled("-O0")
    turns = np.concatenate([np.arange(-(2**24), 2**24, 97) * 2.0**-23, np.linspace(-4e6, 4e6, 9999)]).astype(F)
    sines = vectorised("sine_of_turns", turns)
    np.testing.assert_array_equal(sines, plain("sine_of_turns", turns))
    np.testing.assert_array_equal(sines, sine_of_turns(turns))
    assert np.abs(sines - np.sin(2 * np.pi * np.fmod(turns.astype(np.float64), 1.0))).max() < 2e-7
    quarters = np.array([0, 0.25, 0.5, 0.75, 1, -0.25, 1e6 + 0.25, 2.0**22 + 0.5, 2.0**30, -(2.0**127)], F)
    assert plain("sine_of_turns", quarters).tolist() == [0, 1, 0, -1, 0, -1, 1, 0, 0, 0]
    assert np.isnan(plain("sine_of_turns", np.array([np.nan, np.inf, -np.inf], F))).all()


def test_exponential_and_logarithm_at_their_ends():
    call = compiled("-O0")
    assert np.isnan(call("exponential", np.array([np.nan], F)))
    ends = np.array([-np.inf, -87.34, -0.0, 88.722, 88.73, np.inf], F)
    np.testing.assert_array_equal(call("exponential", ends), exponential(ends))
    assert call("exponential", ends)[[0, 1, 2, 4, 5]].tolist() == [0, 0, 1, np.inf, np.inf]
    assert np.isfinite(call("exponential", ends)[3])
    ends = np.array([-np.inf, -1.0, -0.0, 0.0, 1.0, np.inf, np.nan], F)
    expected = [np.nan, np.nan, -np.inf, -np.inf, 0.0, np.inf, np.nan]
    np.testing.assert_array_equal(call("logarithm", ends), np.array(expected, F))
