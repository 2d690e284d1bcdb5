"""The health of a running process: probes, the sampler that runs them, and the endpoint that shows the results."""
