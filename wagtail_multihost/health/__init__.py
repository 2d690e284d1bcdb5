"""What a running process answers about itself: probes, the sampler that runs them, and the endpoint."""
