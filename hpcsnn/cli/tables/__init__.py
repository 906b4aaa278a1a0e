"""Facts as tables for a terminal: of runs, of trainings, of jobs, of studies."""
