"""Models from users' files: found from any folder, run once a text, kept as copies that cannot change unseen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.models import NeuronModel
from hpcsnn.models.registry import KINDS
from hpcsnn.models.user_files import (
    FOLDER,
    anchored,
    is_reference,
    models_in,
    module_of,
    read_user_file,
    user_model,
)

TEXT = """from hpcsnn.models import NeuronModel, SynapseModel
Mine = NeuronModel("mine", "")
Other = SynapseModel("other", "")
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("own.py:Mine", True), ("a/b c/own.py:Mine_2", True), ("/abs/own.py:_m", True), ("../own.py:M", True),
        ("lif", False), ("own.py", False), ("own.py:", False), (":Mine", False), ("own.py:2M", False),
        ("own.txt:Mine", False), (".py:M", False), ("own.py:a.b", False), ("own.py:M:N", False),
    ],
)  # fmt: skip
def test_a_reference_is_a_file_and_a_name_in_it(name, is_one):
    assert is_reference(name) is is_one


def test_references_are_anchored_wherever_they_stand_and_nothing_else_is_touched(tmp_path):
    spec = {
        "a": {"model": "own.py:M", "grid": [4, 4], "initial": {"V_mV": 1.5}},
        "sub/own.py:M": {"p": None, 3: "x.py:Y"},
        "name": "topomap",
        "listed": [{"own.py:M": {}}, "own.py:M"],
        "numbers": [3, "own.py:M"],
    }
    once = anchored(spec, tmp_path / "x" / "..")
    assert once == {
        "a": {"model": f"{tmp_path}/own.py:M", "grid": [4, 4], "initial": {"V_mV": 1.5}},
        f"{tmp_path}/sub/own.py:M": {"p": None, 3: f"{tmp_path}/x.py:Y"},
        "name": "topomap",
        "listed": [{f"{tmp_path}/own.py:M": {}}, f"{tmp_path}/own.py:M"],
        "numbers": [3, "own.py:M"],
    }
    assert anchored(once, tmp_path / "elsewhere") == once


COMMENTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=20)


@settings(max_examples=15)
@given(COMMENTS, COMMENTS)
def test_a_runs_copy_is_called_by_its_text_and_another_text_is_found_out(tmp_path_factory, comment, other):
    folder = tmp_path_factory.mktemp("run")
    original = written(folder / "own.py", comment)
    _, file, _ = user_model("here", f"{original}:Mine", KINDS["model"])
    copy = written(folder / FOLDER / file.name, comment)
    _, again, _ = user_model("here", f"{copy}:Mine", KINDS["model"])
    assert again.name == file.name, "a copy's copy is called alike"
    elsewhere = written(folder / "mine" / file.name, other)
    _, changed, _ = user_model("here", f"{elsewhere}:Mine", KINDS["model"])  # a copy of one's own may change
    assert (changed.name == file.name) == (comment == other)
    written(copy, other)
    if comment != other:
        with pytest.raises(ConfigurationError, match="was changed after the run began"):
            user_model("here", f"{copy}:Mine", KINDS["model"])


def written(path, comment):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{TEXT}# {comment}\n")
    return path


def test_models_are_found_by_the_names_of_their_variables(file):
    assert list(models_in(file)) == ["Mine", "Other"], "and not what was imported, which are classes"
    model, found, name = user_model("here", f"{file}:Mine", KINDS["model"])
    assert isinstance(model, NeuronModel)
    assert (found.path, found.text, name) == (file, TEXT, "Mine")


def test_a_file_is_run_once_a_text(file):
    first = module_of(file)
    assert module_of(file) is first
    file.write_text(TEXT + "more = 1\n")
    second = module_of(file)
    assert second is not first
    assert second.more == 1
    file.write_text(TEXT)
    assert module_of(file) is first


def test_a_file_that_is_gone_is_as_it_was_read_last(file):
    read_user_file(file)
    file.unlink()
    assert read_user_file(file).text == TEXT
    assert list(models_in(file)) == ["Mine", "Other"]
    with pytest.raises(ConfigurationError, match=r"never\.py: no such file$"):
        read_user_file(file.with_name("never.py"))


@pytest.mark.parametrize(
    ("text", "reference", "message"),
    [
        (TEXT, "Mien", "here: {path}: unknown name 'Mien'; allowed: Mine, Other. Did you mean 'Mine'?"),
        (TEXT, "Other", "here: Other of {path} is a synapse; must be a "),
        ("1 / 0\n", "Mine", "here: {path}: line 1: ZeroDivisionError: division by zero"),
        ("\nx = (\n", "Mine", "here: {path}: line 2: SyntaxError: '(' was never closed"),
        ("def f():\n    raise KeyError(3)\n\n\nf()\n", "Mine", "here: {path}: line 2: KeyError: 3"),
        (
            "import neighbour_of_mine\n",
            "Mine",
            "here: {path}: line 1: ModuleNotFoundError: No module named ",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(text, reference, message, file):
    file.write_text(text)
    with pytest.raises(ConfigurationError) as error:
        user_model("here", f"{file}:{reference}", KINDS["model"])
    assert str(error.value).startswith(message.format(path=file))


def test_what_cannot_be_read_is_told(file):
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"own\.py: cannot be read: 'utf-8' codec"):
        read_user_file(file)
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigurationError, match=r"own\.py: cannot be read: .*Is a directory"):
        read_user_file(file)
