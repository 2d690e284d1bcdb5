"""The pages of the control app in Wagtail's admin: one module for each page."""
