"""submitit's controller of a job on this machine, for runs that take more than its six starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from submitit.local import local

_STARTS = 1_000_000


class LocalExecutor(local.LocalExecutor):  # type: ignore[misc]
    """submitit's, with this module in place of its controller, and with the GPUs that the user sees."""

    def _submit_command(self, command: str) -> Any:
        parameters = self.parameters
        environment = {
            **os.environ,
            "SUBMITIT_LOCAL_NTASKS": "1",
            "SUBMITIT_LOCAL_COMMAND": command,
            "SUBMITIT_LOCAL_TIMEOUT_S": str(int(60 * parameters["timeout_min"])),
            "SUBMITIT_LOCAL_SIGNAL_DELAY_S": str(int(parameters["signal_delay_s"])),
            "SUBMITIT_LOCAL_NODEID": "0",
            "SUBMITIT_LOCAL_JOB_NUM_NODES": "1",
            "SUBMITIT_STDERR_TO_STDOUT": "",
            "SUBMITIT_EXECUTOR": "local",
            "SUBMITIT_LOCAL_WITH_SHELL": "",
        }
        here = [sys.executable, "-m", "hpcsnn.jobs.local_controller", str(self.folder)]
        words = here
        if parameters.get("setup"):
            # The shell becomes the controller, so that its process number is the job's.
            words = ["/bin/bash", "-c", "\n".join([*parameters["setup"], 'exec "$@"']), "setup", *here]
        # Of a session of its own: Ctrl-C at whoever submitted it, or waits for it, is not for the job.
        process = subprocess.Popen(words, env=environment, start_new_session=True)
        return local.LocalJob(folder=self.folder, job_id=str(process.pid), process=process, tasks=[0])


if __name__ == "__main__":
    local.Controller(Path(sys.argv[1])).run(max_retry=_STARTS)
