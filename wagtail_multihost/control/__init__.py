"""The control site of a managed fleet: an optional Django app for a Wagtail project of its own."""
