"""
The operator process: seals sites' secrets to the nodes that have them, and carries out what only it may. It has the
recovery key, the key that signs bundles and the groups' tokens in a folder of its own, and no root, no port, no Django.
"""
