"""How compilers may change what kernels compute, in words; kernels/setup/values.cu looks for it."""

from __future__ import annotations

from hpcsnn.codegen.constants import ChangedValues
from hpcsnn.devices.base import Device

_IN_WORDS = {
    ChangedValues.DENORMALS: "numbers below 1.2e-38 become zero",
    ChangedValues.FUSED: "a product and a sum are rounded once instead of twice",
    ChangedValues.NOT_A_NUMBER: "comparisons take not-a-number and infinity for numbers",
    ChangedValues.ORDER: "sums are added in another order",
    ChangedValues.DIVISION: "quotients are not rounded to the nearest number",
    ChangedValues.SIGNED_ZERO: "-0 is taken for 0",
    ChangedValues.PRECISION: "intermediate results or constants have another precision",
    ChangedValues.ROUNDING: "results are not rounded to the nearest number",
}


def changed_values(changed: int, device: Device) -> str:
    """The message for a program that computes otherwise than others would.

    Args:
        changed: a sum of `ChangedValues`.
    """
    words = "; ".join(_IN_WORDS[one] for one in ChangedValues if changed & one)
    return (
        f"{device.name}: the compiled kernels give other values than on other machines: {words}. A run would have "
        f"another digest for the same configuration and seed. Compiled with {device.compiled_with}; take out what "
        "changes arithmetic (-ffast-math and its parts, flush-to-zero), also from scripts around the compiler, and "
        "look for a library in this process that sets the processor's modes"
    )
