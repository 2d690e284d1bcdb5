"""The operator process: seals sites' secrets to the nodes that have them, and carries out what only it may."""
