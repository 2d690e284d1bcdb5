"""The REST API of the control app, for scripts and other programs; people have the dashboard."""
