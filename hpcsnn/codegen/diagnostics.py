"""What a compiler finds wrong with a user's snippet, in the user's terms: model, slot, line, column, likely cause."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpcsnn.codegen.snippets import KERNELS, Snippet

# g++ and clang++ write file:line:column, NVRTC file(line) and the column as a caret two lines below.
_HOST = re.compile(r"^(?P<file>[\w-]+):(?P<line>\d+):(?P<column>\d+): (?:fatal )?error: (?P<message>.*)$")
_NVRTC = re.compile(r"^(?P<file>[\w-]+)\((?P<line>\d+)\): (?:catastrophic )?error(?: #\d+)?: (?P<message>.*)$")
_DIRECTIVE = re.compile(r'^#line 1 "snippet-(\d+)"$')
# g++ quotes with typographic marks in UTF-8, the others with plain ones.
_QUOTED = r"[\"'\u2018](\w+)[\"'\u2019]"
_UNDECLARED = re.compile(
    rf"{_QUOTED} (?:is undefined|was not declared)|undeclared identifier {_QUOTED}|has no member (?:named )?{_QUOTED}|"
    rf"no member named {_QUOTED}"
)
_READ_ONLY = re.compile(r"read-only|must be a modifiable lvalue|const-qualified")
_SEMICOLON = re.compile(r"expected .*[\"'\u2018][,;][\"'\u2019]")
_MOST = 5


@dataclass(frozen=True)
class _Finding:
    snippet: Snippet
    line: int
    column: int
    message: str

    def text(self) -> str:
        lines = self.snippet.text.split("\n")
        shown = lines[self.line - 1] if 0 < self.line <= len(lines) else ""
        column = min(self.column, len(shown) + 1)
        parts = [f"{self.snippet.where}, line {self.line}, column {column}: {self.message}"]
        if shown.strip():
            number = f"{self.line:>5} | "
            parts += [number + shown, " " * (len(number) - 2 + column + 1) + "^"]
        return "\n".join([*parts, *(f"  {hint}" for hint in _hints(self))])


def explained(output: str, source: str, snippets: Sequence[Snippet]) -> str | None:
    """The first errors of a compiler's `output` that lie in snippets, explained; None where there are none.

    Args:
        output: what g++, clang++ or NVRTC said of `source`.
        source: what was compiled, with the directives of `hpcsnn.codegen.snippets`.
        snippets: those pasted into it.
    """
    unbalanced = [complaint for snippet in snippets if (complaint := _unbalanced(snippet))]
    if unbalanced:  # whatever a compiler makes of it
        return "\n".join(unbalanced)
    findings: list[_Finding] = []
    for finding in _findings(output.splitlines(), source.split("\n"), snippets):
        if all((finding.snippet, finding.line) != (other.snippet, other.line) for other in findings):
            findings.append(finding)
    return "\n".join(finding.text() for finding in findings[:_MOST]) or None


def _findings(output: list[str], source: list[str], snippets: Sequence[Snippet]) -> Iterator[_Finding]:
    for at, line in enumerate(output):
        match = _HOST.match(line) or _NVRTC.match(line)
        if match is None:
            continue
        file, number, message = match["file"], int(match["line"]), match["message"].strip()
        column = int(match["column"]) if "column" in match.groupdict() else _caret(output[at + 1 : at + 4])
        if file == KERNELS and _SEMICOLON.search(message):
            # What is missing at the end of a snippet is noticed at the next word, which is the kernel's.
            snippet = _pasted_before(source, number, snippets)
            if snippet is not None:
                lines = snippet.text.split("\n")
                yield _Finding(snippet, len(lines), len(lines[-1]) + 1, message)
        elif file.startswith("snippet-"):
            snippet = snippets[int(file.removeprefix("snippet-"))]
            if _SEMICOLON.search(message):
                number, column = _end_before(snippet.text.split("\n"), number, column)
            yield _Finding(snippet, number, column, message)


def _end_before(lines: list[str], number: int, column: int) -> tuple[int, int]:
    """Where the statement before a place ends: NVRTC misses a semicolon only at the first word of a later line."""
    while number > 1 and not lines[number - 1][: column - 1].strip():
        number -= 1
        column = len(lines[number - 1].rstrip()) + 1
    return number, column


def _caret(following: list[str]) -> int:
    """Column of NVRTC's caret below the line that it quotes with two spaces more."""
    for line in following:
        if line.strip() == "^":
            return max(line.index("^") - 1, 1)
    return 1


def _pasted_before(source: list[str], number: int, snippets: Sequence[Snippet]) -> Snippet | None:
    """The snippet that ends shortly above a line of the kernels."""
    for line in reversed(source[max(number - 4, 0) : number]):
        if line.startswith("#line ") and line.endswith(f'"{KERNELS}"'):
            above = source[: source.index(line)]
            return next((snippets[int(m[1])] for text in reversed(above) if (m := _DIRECTIVE.match(text))), None)
    return None


def _hints(finding: _Finding) -> list[str]:
    undeclared = _UNDECLARED.search(finding.message)
    if undeclared:
        name = next(group for group in undeclared.groups() if group)
        sees = {known.rpartition(".")[2]: known for known in finding.snippet.sees}  # a member by its own name
        near = [sees[known] for known in difflib.get_close_matches(name, sees, n=3, cutoff=0.6)]
        hints = [f"did you mean {' or '.join(near)}?"] if near else []
        return [*hints, f"{finding.snippet.slot} sees: {', '.join(finding.snippet.sees)}"]
    if _READ_ONLY.search(finding.message):
        return [f"{finding.snippet.slot} may read this but not change it"]
    if _SEMICOLON.search(finding.message):
        return ["is a semicolon missing at the end of this line?"]
    if "Probability" in finding.message:
        return ["a chance is a float such as 0.5f, true or false, or a parameter or table of probabilities"]
    return []


def _unbalanced(snippet: Snippet) -> str | None:
    """Brackets that are closed but not open, or opened and not closed: compilers notice these far away."""
    pairs = {")": "(", "]": "[", "}": "{"}
    text = re.sub(r"//[^\n]*|/\*.*?\*/", lambda match: re.sub(r"[^\n]", " ", match[0]), snippet.text, flags=re.DOTALL)
    stack: list[tuple[str, int, int]] = []
    for line, row in enumerate(text.split("\n"), start=1):
        for column, letter in enumerate(row, start=1):
            if letter in "([{":
                stack.append((letter, line, column))
            elif letter in pairs:
                if not stack:
                    return f"{snippet.where}, line {line}, column {column}: {letter} without {pairs[letter]} before it"
                opened, *place = stack.pop()
                if opened != pairs[letter]:
                    line, column = place
                    return f"{snippet.where}, line {line}, column {column}: {opened} is not closed before {letter}"
    if stack:
        letter, line, column = stack[-1]
        return f"{snippet.where}, line {line}, column {column}: {letter} is never closed"
    return None
