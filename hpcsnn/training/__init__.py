"""Training: data as spike trains, losses, gradients, optimisers."""
