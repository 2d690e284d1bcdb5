"""
The courier: the one process of the managed fleet that speaks to the outside.

It asks DNS and strangers' web servers whether a customer controls a hostname. It has an account of its own and no
secret but its login to the database, where it may call two functions (:mod:`~wagtail_multihost.nodeapi.courier_v1`).
"""
