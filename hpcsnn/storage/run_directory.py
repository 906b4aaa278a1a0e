"""The folder of one run.

``config.yaml``, ``models/`` (users' files that it names), ``progress.json`` (rewritten while it runs),
``progress.jsonl`` (how it went, a line added now and then), ``summary.json``, ``checkpoints/``, ``network.zarr``
(a link to the newest checkpoint), ``records/`` (spikes and events), ``displacement.zarr``, ``figures/``; after an
analysis ``analysis.zarr`` and ``report.html``; ``job/`` of a run that a job carries out. A training has
``metrics.jsonl`` (a line for each group of batches and each epoch), ``tensorboard/`` (the same) and
``evaluation.json`` (label and prediction of each test sample) instead of records and maps.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpcsnn.atomic_files import append_line, open_own, refuse_link, remove, replace_file, replace_folder, restore_folder
from hpcsnn.configuration.files import write_configuration
from hpcsnn.configuration.schema import NetworkConfiguration
from hpcsnn.errors import RunBusyError, StorageError
from hpcsnn.models.user_files import FOLDER, is_copy
from hpcsnn.storage.checkpoints import committed
from hpcsnn.storage.run_reports import summary_of

_LOCK = ".lock"
# What is there before a run is: the job that will carry it out.
_JOB = "job"
# What becomes of ``network.zarr`` where it is no link.
_COPIED = "network.copied.zarr"


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
        self.analysis_aside = path / "analysis.replaced"
        self.report = path / "report.html"
        self.progress = path / "progress.json"
        self.progress_lines = path / "progress.jsonl"
        self.metrics = path / "metrics.jsonl"
        self.evaluation = path / "evaluation.json"
        self.tensorboard = path / "tensorboard"

    def check_free(self, overwrite: bool) -> None:
        """See whether a run may be put here, and change nothing.

        Raises:
            StorageError: a run is there already (and not `overwrite`), or something else.
        """
        if self.path.exists() and not self.path.is_dir():
            raise StorageError(f"{self.path}: is a file; give another --out")
        if self.path.is_dir() and not all(self._before_a_run(entry) for entry in self._entries(self.path)):
            if not self.configuration.is_file():
                raise StorageError(f"{self.path}: is not empty and not a run of hpcsnn; give another --out")
            if not overwrite:
                raise StorageError(
                    f"{self.path}: holds a run already, which is kept; give another --out, or --overwrite"
                )

    def _before_a_run(self, entry: Path) -> bool:
        """Whether it may be there without ``config.yaml``: the job's, or what a start that was killed has left."""
        if entry == self.models and entry.is_dir() and not entry.is_symlink():
            return all(is_copy(file.name) for file in self._entries(entry))
        return entry.name in (_LOCK, _JOB) or entry.name.startswith(f".{self.configuration.name}.")

    @staticmethod
    def _entries(folder: Path) -> list[Path]:
        try:
            return list(folder.iterdir())
        except OSError as error:
            raise StorageError(f"{folder}: cannot be read: {error.strerror}") from None

    def check_run(self) -> None:
        """See that there is a run here.

        Raises:
            StorageError: there is none.
        """
        if not self.configuration.is_file():
            raise StorageError(f"{self.path}: no run here (there is no {self.configuration.name})")

    def check_own(self) -> None:
        """See that what hpcsnn writes into is here and not beyond a link: whoever made this directory may be anybody.

        Raises:
            StorageError: a folder of its own is a link, or holds some that would be followed.
        """
        for folder in (
            self.checkpoints,
            self.records,
            self.figures,
            self.models,
            self.analysis,
            self.analysis_partial,
            self.analysis_aside,
            self.tensorboard,
            self.path / _JOB,
            self.progress_lines,
        ):
            refuse_link(folder)
        refuse_link(self.displacement, below=True)  # the one that is written to as it stands

    def clear(self, overwrite: bool) -> None:
        """Remove what an earlier run left, and nothing else that someone may have put there.

        ``config.yaml`` and the models that it names stay until `write_configuration` replaces them, so that at no
        moment this is not a run, which the next command can take.

        Raises:
            StorageError: as `check_free`, asked again by the one who holds the lock; or something cannot be removed.
        """
        self.check_free(overwrite)
        with _told(self.path, "removed"):
            for checkpoint in committed(self.path):
                checkpoint.remove()  # each as a whole: a kill between them leaves the others
            for left in (
                self.summary,
                self.network,
                self.checkpoints,
                self.records,
                self.displacement,
                self.figures,
                self.analysis,
                self.analysis_partial,
                self.analysis_aside,
                self.report,
                self.progress,
                self.progress_lines,
                self.metrics,
                self.evaluation,
                self.tensorboard,
            ):
                remove(left)

    def names_newest(self) -> bool:
        """Whether ``network.zarr`` is a link to the newest checkpoint's network, if there is one."""
        there = committed(self.path)
        newest = there[-1].network_path.relative_to(self.path) if there else None
        return newest is None or (self.network.is_symlink() and self.network.readlink() == newest)

    def repair_network(self) -> str | None:
        """Let ``network.zarr`` name the newest checkpoint again where it does not; what was done, in words.

        Whoever calls holds the lock.

        Raises:
            StorageError: it cannot be written.
        """
        if self.names_newest():
            return None
        newest = committed(self.path)[-1].network_path
        copied = self._is_copied()
        self.link_network(newest)
        said = f"{self.network}: names the newest checkpoint again, {newest.relative_to(self.path)}"
        if not copied:
            return said
        return (
            f"{said}; it was no link, as in copies that followed it, and is set aside as {_COPIED}: remove it "
            "if nobody wants it"
        )

    def _is_copied(self) -> bool:
        return os.path.lexists(self.network) and not self.network.is_symlink()

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
            self.check_own()
            stream = open_own(self.path / _LOCK)
        except StorageError:
            raise
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
        """Let ``network.zarr`` name a checkpoint's network, in one step; what is no link is set aside.

        Raises:
            StorageError: it cannot be written.
        """
        link = self.path / ".network.link"
        with _told(self.network):
            if self._is_copied():
                ends = itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
                free = (self.path / f"{_COPIED}{end}" for end in ends)
                self.network.rename(next(path for path in free if not os.path.lexists(path)))
            link.unlink(missing_ok=True)
            link.symlink_to(network.relative_to(self.path))
            link.replace(self.network)

    def write_configuration(self, configuration: NetworkConfiguration) -> None:
        """Write the configuration with all defaults; running it again gives the same run.

        Copies of models that it does not name, which are of a run that was here before, go after it is there.

        Raises:
            StorageError: it cannot be written.
        """
        with _told(self.configuration):
            write_configuration(self.configuration, configuration)
            named = {file.name for file in configuration.user_files()}
            for copy in self._entries(self.models) if self.models.is_dir() else []:
                if is_copy(copy.name) and copy.name not in named:
                    copy.unlink()

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write the summary, whole or not at all."""
        self._write(self.summary, json.dumps(summary, indent=2) + "\n")

    def write_evaluation(self, evaluation: dict[str, Any]) -> None:
        """Write what a trained network answered, whole or not at all."""
        self._write(self.evaluation, json.dumps(evaluation) + "\n")

    def read_evaluation(self) -> dict[str, Any]:
        """What the trained network answered.

        Raises:
            StorageError: no training that was tested here, or a file that is none.
        """
        try:
            read = json.loads(self.evaluation.read_text())
        except FileNotFoundError:
            raise StorageError(f"{self.path}: was not tested yet (there is no {self.evaluation.name})") from None
        except (OSError, ValueError) as error:
            raise StorageError(f"{self.evaluation}: cannot be read: {error}") from None
        if not isinstance(read, dict):
            raise StorageError(f"{self.evaluation}: cannot be read: is no evaluation")
        return read

    def write_progress(self, progress: dict[str, Any]) -> None:
        """Write where the run is, whole or not at all."""
        self._write(self.progress, json.dumps(progress) + "\n")

    def add_progress(self, progress: dict[str, Any]) -> None:
        """Add a line on how the run goes, for those who ask how it went.

        Raises:
            StorageError: it cannot be written, or what is there is a link or no file.
        """
        with _told(self.progress_lines):
            append_line(self.progress_lines, json.dumps(progress))

    def write_report(self, page: str) -> None:
        """Write the page of an analysis, whole or not at all."""
        self._write(self.report, page)

    def begin_analysis(self) -> Path:
        """Where an analysis is written until it is whole; nothing of an earlier one that was killed is left there.

        Raises:
            StorageError: what is left cannot be removed.
        """
        with _told(self.analysis):
            restore_folder(self.analysis, self.analysis_aside)
            if self.analysis_partial.exists():
                shutil.rmtree(self.analysis_partial)
        return self.analysis_partial

    def end_analysis(self) -> None:
        """Put the analysis that is whole now in the place of the one before.

        Raises:
            StorageError: it cannot be put there.
        """
        with _told(self.analysis):
            replace_folder(self.analysis_partial, self.analysis, self.analysis_aside)

    def forget_summary(self) -> None:
        """Remove the summary of a run that goes on."""
        with _told(self.summary, "removed"):
            self.summary.unlink(missing_ok=True)

    def read_summary(self) -> dict[str, Any]:
        """The summary.

        Raises:
            StorageError: no finished run here, or a value that no summary has.
        """
        try:
            return summary_of(self.summary.read_text())
        except FileNotFoundError:
            what = "an unfinished run" if self.configuration.is_file() else "no run"
            raise StorageError(f"{self.path}: {what} (there is no {self.summary.name})") from None
        except (OSError, ValueError) as error:
            raise StorageError(f"{self.summary}: cannot be read: {error}") from None

    def _write(self, path: Path, text: str) -> None:
        with _told(path):
            replace_file(path, text)


@contextmanager
def _told(path: Path, done: str = "written") -> Iterator[None]:
    """What the system refuses, as a message."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        where = error.filename if path.is_dir() else path  # which of the many things in it
        raise StorageError(f"{where or path}: cannot be {done}: {error.strerror or error}") from None
