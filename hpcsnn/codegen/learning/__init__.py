"""What a network that learns adds to the program: structs, stages and kernels of samples, scores and gradients."""
