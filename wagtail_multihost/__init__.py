"""Host many isolated Wagtail sites from one codebase. The package root imports nothing."""
