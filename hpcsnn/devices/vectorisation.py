"""Whether the host's compiler makes vector instructions of the loops that update neurons, by its own report.

A step of neurons is one such loop for each population (kernels/step/neurons.cu). What a model's snippet holds can keep
the compiler from it: the answer stays the same, the update takes several times as long.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hpcsnn.codegen.program import Program
from hpcsnn.codegen.snippets import KERNELS, Snippet
from hpcsnn.devices.host import DEFAULT_OPTIMISATION, VALUE_FLAGS, find_compiler
from hpcsnn.errors import DeviceError

_REPORT = {
    "gcc": ("-fopt-info-vec-optimized-missed",),
    "clang": tuple(f"-Rpass{kind}=loop-vectorize" for kind in ("", "-missed", "-analysis")),
}
# file:line:column: kind: message; GCC's kinds are optimized and missed, clang's remark.
_SAID = re.compile(r"^(?P<file>[\w-]+):(?P<line>\d+):\d+: (?:optimized|missed|remark): (?P<message>.*)$")
_NO_REASON = "the compiler gives no reason; a loop in a snippet is the most frequent one"
_NO_VECTORS = "no vectype for stmt"
_VECTORISED = re.compile(r"^(?:loop vectorized|vectorized loop)")
_REASON = re.compile(
    r"^(?:not vectorized|loop not vectorized|statement clobbers memory): (?P<reason>.*?)\.?(?: \[-R.*)?$"
)


def not_vectorised(
    program: Program,
    populations: Sequence[str],
    optimisation: tuple[str, ...] = DEFAULT_OPTIMISATION,
    compiler: str | None = None,
) -> dict[str, str]:
    """The populations of neurons whose update loop is not vectorised, and the compiler's reason.

    Args:
        program: of the network that has them.
        populations: names of populations with a neuron model.
        optimisation: compiler flags, such as ``-O3 -march=x86-64-v3``.
        compiler: a g++ or clang++, this machine's own by default.

    Raises:
        DeviceError: no compiler, or an error of the compiler's.
    """
    compiler = compiler or find_compiler()
    # Kernels are static: those that nobody calls are dropped before anything is optimised.
    calls = " ".join(f"update_{name}(net);" for name in populations)
    source = f'{program.kernels}\nextern "C" void updates(Network* net) {{ {calls} }}\n'
    said = _report(compiler, optimisation, source, program.snippets)
    lines = source.split("\n")
    reasons = {}
    for name in populations:
        loop = _update_loop(lines, name)
        reason = _why_not(said, loop, program.snippets)
        if reason is not None:
            reasons[name] = reason
    return reasons


def _report(
    compiler: str, optimisation: tuple[str, ...], source: str, snippets: Sequence[Snippet]
) -> list[tuple[str, int, str]]:
    """File, line and message of each remark."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    family = "clang" if "clang" in version else "gcc"
    command = [compiler, "-std=c++17", "-fPIC", *optimisation, *VALUE_FLAGS, *_REPORT[family]]
    # Under the names that their lines go by: clang looks into the files before it says where something is.
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {KERNELS: source, **{f"snippet-{n}": one.text for n, one in enumerate(snippets)}}.items():
            (Path(folder) / name).write_text(text)
        done = subprocess.run(
            [*command, "-x", "c++", "-S", "-o", os.devnull, KERNELS],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
    if done.returncode != 0:
        raise DeviceError(f"{compiler} could not compile the kernels for its report:\n{done.stderr[:2000]}")
    matches = filter(None, map(_SAID.match, done.stderr.splitlines()))
    return [(match["file"], int(match["line"]), match["message"]) for match in matches]


def _update_loop(lines: list[str], population: str) -> int:
    """The number of the line where the loop over a block of neurons begins, the first being 1."""
    kernel = next(at for at, line in enumerate(lines) if line.startswith(f"KERNEL update_{population}("))
    independent = next(at for at in range(kernel, len(lines)) if lines[at].strip() == "INDEPENDENT_ITERATIONS")
    return independent + 2


def _why_not(said: list[tuple[str, int, str]], loop: int, snippets: Sequence[Snippet]) -> str | None:
    """The reason for a loop, None if it is vectorised; with the snippet that the compiler speaks of, if it does."""
    at = [number for number, (file, line, _) in enumerate(said) if (file, line) == (KERNELS, loop)]
    if any(_VECTORISED.match(said[number][2]) for number in at):
        return None
    reason, where = _NO_REASON, ""
    for file, line, message in said[at[0] :] if at else []:
        if (file, line) != (KERNELS, loop) and file == KERNELS and "couldn't vectorize loop" in message:
            break  # the next loop
        match = _REASON.match(message)
        if file.startswith("snippet-"):
            snippet = snippets[int(file.removeprefix("snippet-"))]
            where = f" ({snippet.where}, line {line})"
            if match or reason != _NO_REASON:
                return (match["reason"] if match else reason) + where
        elif match and reason == _NO_REASON:
            reason = match["reason"]
    if reason.startswith(_NO_VECTORS):  # of the smallest vectors, which it tries last
        reason += " (GCC says no more; it has no vectors for a function that is called, or for a type)"
    return reason + where
