"""What ships beside the package is found, in a checkout as in an installed wheel."""

from __future__ import annotations

import yaml

from hpcsnn import shipped_files


def test_kernels_are_templates_of_every_kind():
    folder = shipped_files.kernel_folder()
    kinds = {path.suffix for path in folder.rglob("[!.]*") if path.is_file()}
    assert kinds == {".cu", ".cuh", ".cpp"}
    assert {path.parent.name for path in folder.rglob("*.cu")} >= {"setup", "step", "rewiring"}


def test_configurations_are_yaml_that_says_what_it_is():
    folder = shipped_files.configuration_folder()
    files = list(folder.iterdir())
    assert folder / "topomap.yaml" in files
    for file in files:
        assert file.suffix == ".yaml"
        assert yaml.safe_load(file.read_text())["description"], file
