"""Configurations with something wrong in them, and what the command line must make of each."""

from __future__ import annotations

import difflib
import json
import re
import shutil
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from hpcsnn.configuration.yaml_text import read_yaml
from hpcsnn.errors import ConfigurationError
from support.forked import Ended, Forks
from support.hostile import NUMBERS, VALUES, says
from support.small_configurations import small_configuration

# A case is run as far as it goes in so many steps, and only if it is no more work and memory than this.
STEPS = 200
MOST_WORK = 2e8
MOST_BYTES = 2**28
# Names of keys that are no keys, and of populations that are no names, or are special to somebody.
_KEYS = (
    *("", "a", "A", 1, -1.5, True, None, "float", "class", "x" * 300, "x" * 3000, "é", "a b", "a.b", "a/b", "..", "_x"),
    *("step", "id", "rank", "main", "source", "target", "size", "state", "uint32", "f" * 63, "n_0", "seed", "<<"),
    *("extends", "normal", "lif", "V_mV", "std", "struct", "synapses", "neurons", "digest"),
)
# Written into the text as it is: what only YAML knows.
_RAW = (
    *("0x10", "0o17", "010", "1_000", "1:30", "yes", "~", "2020-01-01", "1e3", ".5", "1e400", "+.inf", "1.", "- 1"),
    *("!!python/object/apply:os.system [true]", "!!binary aGVsbG8=", "!!set {a, b}", "!!float 1", "!!int '1'"),
    *("&a [*a]", "&a {b: *a}", "*nowhere", "'unclosed", "[1, 2", "{a: 1, a: 2}", "!unknown 1", "|\n  text", "? a"),
    *("{? [1, 2] : 3}", "{<<: 1}", "{<<: {a: 1}}", "@", "%", "`", "a: b: c", "# nothing", "!!timestamp x", "=", "\\x"),
)
_OF_YAML = (
    *("not YAML", "must be a mapping", "given twice", "alias", "second document", "tag", "a key must be", "%YAML"),
    "is a number of",
)
_DAMAGE = st.sampled_from(["none"] * 30 + ["flip", "cut", "drop", "repeat", "tab", "insert", "swap", "indent"])
_KINDS = st.sampled_from(
    ["number"] * 8 + ["scale"] * 4 + ["value"] * 3 + ["raw", "remove", "rename", "move", "swap", "add", "into a list"]
)


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything below `data`; of what lies within itself, a part."""
    if len(path) > 20:
        return
    below = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in below:
        yield (*path, key)
        yield from places(value, (*path, key))


def at(data: Any, path: tuple[Any, ...]) -> Any:
    """What is there."""
    for key in path:
        data = data[key]
    return data


def renamed(mapping: dict[Any, Any], old: Any, new: Any) -> None:
    """Give a key another name, in place and at its place."""
    entries = [(new if key == old else key, value) for key, value in mapping.items()]
    mapping.clear()
    mapping.update(entries)


@dataclass(frozen=True, repr=False)
class Mutated:
    """A small configuration's name, and the text that became of it; shown as what differs."""

    name: str
    text: bytes

    @classmethod
    def of(cls, name: str, data: Any) -> Mutated:
        """The text of plain data."""
        return cls(name, yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120).encode())

    def __repr__(self) -> str:
        texts = (self.of(self.name, small_configuration(self.name)).text, self.text)
        lines = [text.decode(errors="backslashreplace").splitlines() for text in texts]
        changes = [line[:200] for line in difflib.unified_diff(*lines, lineterm="", n=2)][2:]
        return "\n".join([f"{self.name}, where", *changes[:60]])


@st.composite
def mutated(draw: Any, name: str) -> Mutated:
    """A small configuration after one to three changes; at times with damage to the text itself."""
    data = deepcopy(small_configuration(name))
    raw: dict[str, str] = {}
    for number in range(draw(st.sampled_from([1, 1, 2, 3]))):
        _mutate(draw, data, raw, f"RAW{number}RAW")
    text = Mutated.of(name, data).text.decode()
    for mark, words in raw.items():
        text = text.replace(mark, words)
    return Mutated(name, _damaged(draw, text))


def _mutate(draw: Any, data: dict[Any, Any], raw: dict[str, str], mark: str) -> None:
    everywhere = list(places(data))
    numbers = [path for path in everywhere if type(at(data, path)) in (int, float)]
    if not numbers:
        return
    kind = draw(_KINDS)
    path = draw(st.sampled_from(numbers if kind in ("number", "scale") else everywhere))
    owner, key = at(data, path[:-1]), path[-1]
    if kind == "number":
        owner[key] = draw(st.sampled_from(NUMBERS))
    elif kind == "scale":
        number, power = owner[key], draw(st.sampled_from([1, -1, 2, -2, 3, -3, 4, 5, 6, -6, 9, 12, -12, 30, -30]))
        if abs(number) < 1e30:
            exact = isinstance(number, int) and power > 0
            owner[key] = number * 10**power if exact else float(number) * 10.0**power
    elif kind == "value":
        owner[key] = deepcopy(draw(st.sampled_from(VALUES)))
    elif kind == "raw":
        raw[mark] = draw(st.sampled_from(_RAW))
        owner[key] = mark
    elif kind == "remove":
        del owner[key]
    elif kind == "rename" and isinstance(owner, dict):
        renamed(owner, key, draw(st.sampled_from(_KEYS)))
    elif kind == "into a list":
        owner[key] = [owner[key]]
    elif kind == "add":
        if isinstance(owner, dict):
            owner[draw(st.sampled_from(_KEYS))] = deepcopy(draw(st.sampled_from(VALUES)))
        else:
            owner.append(draw(st.sampled_from(NUMBERS)))
    elif kind in ("move", "swap"):
        _exchange(draw, data, everywhere, path, kind)


def _exchange(draw: Any, data: dict[Any, Any], everywhere: list[Any], path: tuple[Any, ...], kind: str) -> None:
    """Put what is at `path` in another's place; in a swap, the other one comes here."""
    other = draw(st.sampled_from(everywhere))
    shorter = min(len(path), len(other))
    if path[:shorter] == other[:shorter]:
        return
    here, there = at(data, path), at(data, other)
    at(data, other[:-1])[other[-1]] = here
    if kind == "swap":
        at(data, path[:-1])[path[-1]] = there
    elif isinstance(at(data, path[:-1]), dict):
        del at(data, path[:-1])[path[-1]]


def _damaged(draw: Any, text: str) -> bytes:
    kind = draw(_DAMAGE)
    if kind == "none":
        return text.encode()
    if kind in ("flip", "cut", "insert"):
        whole = bytearray(text.encode())
        place = draw(st.integers(0, len(whole) - 1))
        if kind == "flip":
            whole[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del whole[place:]
        else:
            new = ["\t", "\x00", ":", "{", "]", "#", "\r", "- ", "&a ", "\ufeff", "\n", "'", '"', "--- ", "\u2028"]
            whole[place:place] = draw(st.sampled_from(new)).encode()
        return bytes(whole)
    lines = text.splitlines(keepends=True)
    place = draw(st.integers(0, len(lines) - 1))
    line = lines[place]
    if kind == "drop":
        del lines[place]
    elif kind == "repeat":
        lines.insert(place, line)
    elif kind == "tab":
        lines[place] = f"\t{line}"
    elif kind == "indent":
        lines[place] = line.removeprefix("  ") if line.startswith("  ") else f"  {line}"
    else:
        other = draw(st.integers(0, len(lines) - 1))
        lines[place], lines[other] = lines[other], line
    return "".join(lines).encode()


# -- what the command line makes of them: these two run in processes of their own --------------------------------------


def check(path: Path) -> tuple[int, float, float]:
    """``hpcsnn check``; the steps of the whole run, a bound of the work in `STEPS` of them, bytes of all arrays."""
    from hpcsnn.cli.app import app
    from hpcsnn.configuration.files import load_configuration
    from hpcsnn.planning.memory import estimate

    try:
        app(["check", str(path)], prog_name="hpcsnn")
    except SystemExit as left:
        if left.code:
            raise
    configuration = load_configuration(path)
    network = configuration.network()
    steps = network.steps(configuration.duration_ms)
    size = estimate(network, configuration.tile, 0, 1)
    work = float(sum(population.size for population in network.populations.values()) + sum(size.synapses.values()))
    for projection in network.projections.values():
        if projection.rule is not None and projection.rewiring is not None and projection.rule.attempts:
            values = projection.rewiring.values
            blocks = projection.target.size / values["block_side"] ** 2
            work += (
                # Each attempt looks for its synapse in a row, and for its slot among the attempts before it.
                max(1, projection.expected_in_degree + values["attempts"] / 2)
                * values["attempts"]
                * blocks
                / network.update_steps(projection)
            )
    return steps, work * min(steps, STEPS), float(size.n_bytes + size.growing)


def run(path: Path, out: Path, dt_ms: float | None) -> None:
    """``hpcsnn run``, of `STEPS` steps where `dt_ms` is given."""
    from hpcsnn.cli.app import app

    shorter = [] if dt_ms is None else ["--set", f"duration_ms={dt_ms * STEPS!r}"]
    app(["run", str(path), "--out", str(out), "--device", "cpu", "--no-figures", *shorter], prog_name="hpcsnn")


# -- the judge ---------------------------------------------------------------------------------------------------------


def fault(ended: Ended) -> str | None:
    """What no command may do, whatever it is given."""
    said = ended.out + ended.err
    if ended.hung:
        return "hangs"
    if ended.signal:
        return f"dies of signal {ended.signal}"
    if "Traceback" in said:
        return f"shows a traceback: {said.strip().splitlines()[-1][:300]}"
    if "Warning:" in said:
        return "shows a warning of Python's: " + next(line for line in said.splitlines() if "Warning:" in line)[-300:]
    if ended.code not in (0, 1, 2):
        return f"ends with code {ended.code}: {said[-300:]}"
    return None


def unclear(message: str, path: Path, text: bytes) -> str | None:
    """What a message lacks: it names a field that is there and its value, or what is missing."""
    words = " ".join(message.split())
    if not words.startswith("error: "):
        return f"is no message: {words[:300]}"
    # What is wrong with the text itself is told with its line, and what it is of YAML.
    if re.search(rf"{re.escape(path.name)}(: |, lines? \d)", words) and any(part in words for part in _OF_YAML):
        return None
    try:
        data, _ = read_yaml("", text.decode())
    except (ConfigurationError, UnicodeDecodeError):  # then the message is about the text, and judged above
        data = {}
    if not isinstance(data, dict):
        return f"says nothing of the file: {words[:300]}"
    fields = {".".join(map(str, place)): at(data, place) for place in places(data)}
    about = r"(\.\w+: missing|: has (\d+ values|shape \())"
    if any(re.search(re.escape(field) + about, words) for field in fields):
        return None
    top = dict.fromkeys(("configuration", "populations", "projections", "grid", "checkpoint_every"), data)
    last = {field.rpartition(".")[2]: value for field, value in fields.items()}
    if any(says(words, field, value) for field, value in (*top.items(), *last.items(), *fields.items()) if field):
        return None
    return f"names no field with its value: {words[:300]}"


def trouble(forks: Forks, text: bytes, folder: Path) -> str | None:
    """What is wrong with how the command line treats a configuration; None: nothing."""
    path, out = folder / "mutated.yaml", folder / "run"
    path.write_bytes(text)
    checked = forks.call("support.mutations:check", path)
    problem = fault(checked)
    if problem is not None:
        return f"check {problem}"
    if checked.code:
        problem = unclear(checked.err, path, text)
        return f"check {problem}" if problem else None
    steps, work, n_bytes = checked.result
    if work > MOST_WORK or n_bytes > MOST_BYTES:
        return None
    dt_ms = None
    if steps > STEPS:
        dt_ms = read_yaml("", text.decode())[0].get("dt_ms", 0.1)
    results = []
    for _ in range(2):
        shutil.rmtree(out, ignore_errors=True)  # also what a case left behind that ended in trouble
        ended = forks.call("support.mutations:run", path, out, dt_ms)
        problem = fault(ended) or (ended.code and unclear(ended.err, path, text))
        if problem:
            return f"run {problem}"
        results.append(ended.err if ended.code else json.loads((out / "summary.json").read_text())["digest"])
    return None if results[0] == results[1] else f"run differs from run: {results}"
