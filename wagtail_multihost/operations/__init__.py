"""What operators' processes do beside the nodes. Django is not needed."""
