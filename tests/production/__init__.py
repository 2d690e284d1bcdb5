"""What suits only development."""
