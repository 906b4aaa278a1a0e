"""The text of snippets, and the names in it: what of a text counts, and which names a model may give to what it has."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping

from hpcsnn.errors import ConfigurationError, shown, unknown_name

_COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)

# Functions that every snippet may call.
FUNCTIONS = (
    *("chance", "choose", "exponential", "flushed", "logarithm", "poisson_events", "sine_of_turns", "spike_hash"),
    *("square_root", "standard_normal", "torus_distance", "waiting_steps"),
)
# Types that snippets may name beside those of C++.
TYPES = ("int64", "uint32", "uint64", "Probability", "Random4")
# What the preprocessor replaces wherever it stands (kernels/base/device.cuh, kernels/step/advance_host.cpp, NVRTC).
MACROS = (
    *(
        "DEVICE",
        "DEVICE_MEMBER",
        "INDEPENDENT_ITERATIONS",
        "KERNEL",
        "LAUNCH",
        "NULL",
        "OUTER_ITERATION",
        "PREFETCH",
        "SELDOM_KERNEL",
        "UNROLLED",
    ),
)
KEYWORDS = (
    *("alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch"),
    *("char", "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return", "co_yield", "compl", "concept"),
    *("const", "const_cast", "consteval", "constexpr", "constinit", "continue", "decltype", "default", "delete"),
    *("do", "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float", "for"),
    *("friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq"),
    *("nullptr", "operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast"),
    *("requires", "return", "short", "signed", "sizeof", "static", "static_assert", "static_cast", "struct"),
    *("switch", "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "union"),
    *("unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq"),
)
# Names of hpcsnn's own that must stand beside those of a snippet begin so.
OWN_PREFIX = "hpcsnn_"


def cleaned(text: str) -> str:
    """A snippet without the indentation that all its lines share and blank lines around it: what is counted."""
    return textwrap.dedent(text.expandtabs()).strip("\n").rstrip()


def without_comments(text: str) -> str:
    """A text with a blank in place of each comment."""
    return _COMMENTS.sub(" ", text)


def mentioned(pattern: str, texts: Iterable[str]) -> bool:
    """Whether a text has the pattern outside of comments."""
    return any(re.search(pattern, without_comments(text)) for text in texts)


def is_body(text: str) -> bool:
    """Whether a text that gives a value is statements with a ``return``, and not an expression."""
    return re.search(r"\breturn\b", without_comments(text)) is not None


# The attributes of models that have names in snippets, and what one of each is called.
_NAMED = {
    "parameters": "parameter",
    "derived": "derived constant",
    "tables": "table",
    "sums": "sum",
    "of_batch": "constant of a batch",
    "state": "state variable",
    "variables": "variable",
    "synapse_variables": "synapse variable",
    "source_variables": "source variable",
    "target_variables": "target variable",
    "pre_traces": "source trace",
    "post_traces": "target trace",
    "source_traces": "source trace",
    "target_traces": "target trace",
    "filters": "filter",
    "recorded": "recorded value",
}


def given_names(model: object) -> Iterator[tuple[str, str]]:
    """What each name is of that a model gives to what its snippets see, and the name."""
    for attribute, what in _NAMED.items():
        for one in getattr(model, attribute, ()):
            yield what, getattr(one, "name", one)
    for name in getattr(model, "tables", ()):
        yield "table's length", f"n_{name}"
    for variable in getattr(model, "target_variables", ()):
        yield "target variable in per_target", f"own_{variable.name}"


def check_snippet_names(
    where: str,
    kind: str,
    named: Iterable[tuple[str, str]],
    promised: Collection[str],
    kept: Mapping[tuple[str, str], str],
) -> None:
    """Refuse names of parameters, variables and so on that snippets could not use for what they name.

    Args:
        where: the model, for the message.
        kind: what kind of model it is, in words.
        named: what each name is of, in words, and the name.
        promised: names by which snippets of this kind see something else.
        kept: further names that are taken, with what they are of, and why.

    Raises:
        ConfigurationError: a name that is no identifier, that C++ or hpcsnn keeps, or that is given twice; says which
            names are taken and why.
    """
    seen: dict[str, str] = {}
    for what, name in named:
        wrong = f"{where}: the {what} {name!r} is not allowed; "
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise ConfigurationError(f"{wrong}snippets are C++: use letters, digits and _, starting with a letter")
        if name in KEYWORDS:
            raise ConfigurationError(f"{wrong}it is a keyword of C++")
        if "__" in name:
            raise ConfigurationError(f"{wrong}C++ keeps names with __ for compilers")
        if name in TYPES or name in MACROS:
            raise ConfigurationError(
                f"{wrong}hpcsnn has types and macros that are called {', '.join(sorted((*TYPES, *MACROS)))}"
            )
        if name.startswith((OWN_PREFIX, OWN_PREFIX.upper())):
            raise ConfigurationError(f"{wrong}names that begin with {OWN_PREFIX} are hpcsnn's own")
        if name in promised:
            article = "an" if kind[0] in "aeiou" else "a"
            raise ConfigurationError(
                f"{wrong}what snippets of {article} {kind} see by these names is something else: "
                f"{', '.join(sorted(promised))}"
            )
        if (what, name) in kept:
            raise ConfigurationError(f"{wrong}{kept[what, name]}")
        if name in seen:
            both = what if seen[name] == what else f"{seen[name]} and a {what}"
            raise ConfigurationError(f"{where}: the name {name!r} is given twice, to a {both}")
        seen[name] = what


def check_expression(where: str, expression: object, known: Collection[str]) -> None:
    """Refuse what is no Python expression, or has a name that is not `known`.

    Raises:
        ConfigurationError: names `where`, the expression and what is wrong with it.
    """
    if not isinstance(expression, str):
        raise ConfigurationError(f"{where}: {shown(expression)} is not allowed; must be a Python expression as a text")
    try:
        nodes = list(ast.walk(ast.parse(expression.strip(), mode="eval")))
    except (SyntaxError, ValueError) as error:
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ConfigurationError(f"{where}: {expression!r} is not a Python expression: {what}") from None
    own = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id not in own and node.id not in known:
            raise ConfigurationError(unknown_name(f"{where}: {expression!r}", node.id, known))
