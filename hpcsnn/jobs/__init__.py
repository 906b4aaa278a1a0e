"""From a configuration to a finished job: on Slurm, on this machine, restarted as often as it takes."""
