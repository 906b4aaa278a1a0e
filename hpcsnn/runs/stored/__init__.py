"""What is stored of a run or a training, as the commands that read it ask for it."""
