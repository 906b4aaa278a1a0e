"""The folder of one run.

``config.yaml``, ``models/`` (users' files that it names), ``progress.json`` (rewritten while it runs),
``summary.json``, ``checkpoints/``, ``network.zarr``
(a link to the newest checkpoint), ``records/`` (spikes and events), ``displacement.zarr``, ``figures/``; after an
analysis ``analysis.zarr`` and ``report.html``; ``job/`` of a run that a job carries out.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpcsnn.atomic_files import replace_file
from hpcsnn.configuration.files import write_configuration
from hpcsnn.configuration.schema import Configuration
from hpcsnn.errors import RunBusyError, StorageError
from hpcsnn.models.user_files import FOLDER

_LOCK = ".lock"
# What is there before a run is: the job that will carry it out.
_JOB = "job"


class RunDirectory:
    """Paths and small files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.configuration = path / "config.yaml"
        self.models = path / FOLDER
        self.summary = path / "summary.json"
        self.network = path / "network.zarr"
        self.displacement = path / "displacement.zarr"
        self.checkpoints = path / "checkpoints"
        self.records = path / "records"
        self.figures = path / "figures"
        self.analysis = path / "analysis.zarr"
        self.analysis_partial = path / "analysis.partial"
        self.report = path / "report.html"
        self.progress = path / "progress.json"

    def check_free(self, overwrite: bool) -> None:
        """See whether a run may be put here, and change nothing.

        Raises:
            StorageError: a run is there already (and not `overwrite`), or something else.
        """
        if self.path.exists() and not self.path.is_dir():
            raise StorageError(f"{self.path}: is a file; give another --out")
        if self.path.is_dir() and any(entry.name not in (_LOCK, _JOB) for entry in self.path.iterdir()):
            if not self.configuration.is_file():
                raise StorageError(f"{self.path}: is not empty and not a run of hpcsnn; give another --out")
            if not overwrite:
                raise StorageError(
                    f"{self.path}: holds a run already, which is kept; give another --out, or --overwrite"
                )

    def check_run(self) -> None:
        """See that there is a run here.

        Raises:
            StorageError: there is none.
        """
        if not self.configuration.is_file():
            raise StorageError(f"{self.path}: no run here (there is no {self.configuration.name})")

    def clear(self, overwrite: bool) -> None:
        """Remove what an earlier run left, and nothing else that someone may have put there.

        Raises:
            StorageError: as `check_free`, asked again by the one who holds the lock.
        """
        self.check_free(overwrite)
        for file in (self.summary, self.network, self.configuration, self.report, self.progress):
            file.unlink(missing_ok=True)
        folders = (
            self.checkpoints,
            self.records,
            self.displacement,
            self.figures,
            self.models,
            self.analysis,
            self.analysis_partial,
        )
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def lock(self, first: bool = True) -> Iterator[None]:
        """Be a writer of this run, with the other ranks of one job and nobody else; makes the folder.

        The first rank makes sure that no rank of any job is here and then lets its own in: ranks that outlive a first
        rank that was killed keep the next job out until they have gone too. The kernel forgets a process's lock when it
        ends, so the file itself stays where it is.

        Raises:
            RunBusyError: another job writes here.
            StorageError: nobody can.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            stream = (self.path / _LOCK).open("a+")
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written: {error.strerror}; give another --out") from None
        with stream:
            try:
                for kind in (fcntl.LOCK_EX, fcntl.LOCK_SH) if first else (fcntl.LOCK_SH,):
                    fcntl.flock(stream, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunBusyError(f"{self.path}: another hpcsnn is writing here; wait for it, or stop it") from None
            yield

    def link_network(self, network: Path) -> None:
        """Let ``network.zarr`` name a checkpoint's network, in one step."""
        link = self.path / ".network.link"
        link.unlink(missing_ok=True)
        link.symlink_to(network.relative_to(self.path))
        link.replace(self.network)

    def write_configuration(self, configuration: Configuration) -> None:
        """Write the configuration with all defaults; running it again gives the same run."""
        try:
            write_configuration(self.configuration, configuration)
        except OSError as error:
            raise StorageError(f"{self.configuration}: cannot be written: {error.strerror}") from None

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write the summary, whole or not at all."""
        self._write(self.summary, json.dumps(summary, indent=2) + "\n")

    def write_progress(self, progress: dict[str, Any]) -> None:
        """Write where the run is, whole or not at all."""
        self._write(self.progress, json.dumps(progress) + "\n")

    def write_report(self, page: str) -> None:
        """Write the page of an analysis, whole or not at all."""
        self._write(self.report, page)

    def forget_summary(self) -> None:
        """Remove the summary of a run that goes on."""
        self.summary.unlink(missing_ok=True)

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
        try:
            replace_file(path, text)
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error.strerror}") from None
