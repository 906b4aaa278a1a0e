"""How users' snippets get into a kernel's source, and how a place in the source leads back to them.

Each snippet is pasted as it was written, between two ``#line`` directives: one that counts its lines from 1 under the
name ``snippet-N``, and one that goes on counting the kernels' own. Both compilers keep to them in what they say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

from hpcsnn.models.snippet_text import cleaned, is_body

KERNELS = "kernels"
_RESTORE = f'#line 0 "{KERNELS}"'


@dataclass(frozen=True)
class Snippet:
    """One pasted text.

    Attributes:
        kind: the kind of model in words, such as ``rewiring rule``.
        model, slot: the model's name, and which of its texts this is.
        text: as pasted, its lines counted from 1.
        sees: names that the text may use.
    """

    kind: str
    model: str
    slot: str
    text: str
    sees: tuple[str, ...]

    @property
    def where(self) -> str:
        """In words."""
        return f"{self.kind} {self.model}, {self.slot}"


@dataclass
class SnippetBook:
    """The snippets pasted into one program, in order of first use."""

    snippets: list[Snippet] = field(default_factory=list)

    def paste(self, model: SimpleNamespace, slot: str, text: str | None = None) -> str:
        """The text of a model's slot between its directives; `text` where the slot holds several."""
        words = cleaned(getattr(model, slot) if text is None else text)
        sees = model.sees_in.get(slot.partition(".")[0] if slot.startswith("sums.") else slot, model.sees)
        snippet = Snippet(model.kind, model.name, slot, words, sees)
        if snippet not in self.snippets:
            self.snippets.append(snippet)
        number = self.snippets.index(snippet)
        return f'#line 1 "snippet-{number}"\n{snippet.text}\n{_RESTORE}'

    def value(self, model: SimpleNamespace, slot: str, text: str | None = None) -> str:
        """The body of a function that returns the value of a slot, which holds an expression or such a body."""
        pasted = self.paste(model, slot, text)
        return pasted if is_body(getattr(model, slot) if text is None else text) else f"return\n{pasted}\n;"


def numbered(source: str) -> str:
    """`source` with the true number of the next line in each directive that goes back to the kernels' own lines."""
    lines = source.split("\n")
    return "\n".join(
        f'#line {number + 1} "{KERNELS}"' if line == _RESTORE else line for number, line in enumerate(lines, start=1)
    )
