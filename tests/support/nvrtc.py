"""NVRTC, which compiles for GPUs on machines without one."""

from __future__ import annotations

import pytest

from hpcsnn.devices.cuda import NVRTC_FLAGS


def ptx_of(source: str, compute_capability: int) -> str:
    """What NVRTC makes of it, with the flags of the product; needs no GPU."""
    nvrtc = pytest.importorskip("cupy_backends.cuda.libs.nvrtc", reason="needs CuPy and NVRTC (extra cuda13)")
    program = nvrtc.createProgram(source, "kernels.cu", (), ())
    try:
        nvrtc.compileProgram(program, (*NVRTC_FLAGS, f"--gpu-architecture=compute_{compute_capability}"))
        return nvrtc.getPTX(program).decode()
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    finally:
        nvrtc.destroyProgram(program)
