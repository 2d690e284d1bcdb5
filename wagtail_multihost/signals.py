"""The signals of this package."""

from __future__ import annotations

from django.dispatch import Signal

#: A site's status, or the process's own, has changed. Arguments: ``site`` (its id; blank for the process), ``before``
#: (None the first time) and ``after``, both ``wagtail_multihost.health.status.Status``, and ``codes``, the sorted
#: codes of all probes that do not pass. Sent from a separate thread, one change at a time;
#: exceptions of receivers are logged.
health_changed = Signal()
