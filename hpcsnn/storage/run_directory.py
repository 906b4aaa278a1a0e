"""The folder of one run: ``config.yaml``, ``summary.json``, ``network.zarr``, ``figures/``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from hpcsnn.errors import StorageError


class RunDirectory:
    """Paths and small files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.configuration = path / "config.yaml"
        self.summary = path / "summary.json"
        self.network = path / "network.zarr"
        self.figures = path / "figures"

    def create(self, overwrite: bool) -> None:
        """Make the folder, empty of an earlier run.

        Raises:
            StorageError: it is there already (and not `overwrite`), holds something else, or cannot be written.
        """
        try:
            if self.path.exists() and not self.path.is_dir():
                raise StorageError(f"{self.path}: is a file; give another --out")
            if self.path.is_dir() and any(self.path.iterdir()):
                if not self.configuration.is_file():
                    raise StorageError(f"{self.path}: is not empty and not a run of hpcsnn; give another --out")
                if not overwrite:
                    raise StorageError(
                        f"{self.path}: holds a run already, which is kept; give another --out, or --overwrite"
                    )
                self._remove_run()
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".writable"
            probe.touch()
            probe.unlink()
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written: {error.strerror}; give another --out") from None

    def _remove_run(self) -> None:
        """Remove what a run leaves, and nothing else that someone may have put there."""
        for folder in (self.network, self.figures):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.configuration, self.summary):
            file.unlink(missing_ok=True)

    def write_configuration(self, resolved: dict[str, Any]) -> None:
        """Write the configuration with all defaults; running it again gives the same run."""
        self._write(self.configuration, yaml.safe_dump(resolved, sort_keys=False))

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write the summary, whole or not at all."""
        self._write(self.summary, json.dumps(summary, indent=2) + "\n")

    def read_summary(self) -> dict[str, Any]:
        """The summary.

        Raises:
            StorageError: no finished run here.
        """
        try:
            summary: dict[str, Any] = json.loads(self.summary.read_text())
        except FileNotFoundError:
            what = "an unfinished run" if self.configuration.is_file() else "no run"
            raise StorageError(f"{self.path}: {what} (there is no {self.summary.name})") from None
        except (OSError, json.JSONDecodeError) as error:
            raise StorageError(f"{self.summary}: cannot be read: {error}") from None
        return summary

    def _write(self, path: Path, text: str) -> None:
        partial = path.with_name(f".{path.name}.part")
        try:
            partial.write_text(text)
            partial.replace(path)
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error.strerror}") from None
