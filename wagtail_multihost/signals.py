"""Facts that others may listen to."""

from __future__ import annotations

from django.dispatch import Signal

#: A site's status, or the process's own, has changed. Arguments: ``site`` (its id; blank for the process), ``before``
#: (None the first time) and ``after``, both ``wagtail_multihost.health.status.Status``, and ``codes``, the sorted
#: codes of all that does not pass. Sent in a thread of its own, one change after the other;
#: what a receiver raises is logged.
health_changed = Signal()
