"""What is right for development alone."""
