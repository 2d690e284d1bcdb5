"""Packages of others, as the tests install them: nothing in this one knows of them."""
