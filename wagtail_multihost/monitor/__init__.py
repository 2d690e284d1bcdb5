"""
The monitor: asks each hostname of each site whether it serves, and as which site, from outside or beside an agent.

It reads what hostile sites answer, so it has an account of its own and no secret but its login, and may do nothing but
report, in numbers and in words of closed lists (:mod:`~wagtail_multihost.nodeapi.probe_states`).
"""
