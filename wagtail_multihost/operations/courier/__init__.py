"""
The courier: the one process of the managed fleet that speaks to the outside.

It asks DNS and strangers' web servers whether a customer controls a hostname, and tells webhooks of events. It has an
account of its own, and no secrets but the key that signs what it sends and its login to the database, where it may call
functions of one schema (:mod:`~wagtail_multihost.nodeapi.courier_v1`).
"""
