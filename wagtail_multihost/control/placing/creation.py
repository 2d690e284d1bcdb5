"""
Placing new sites, in the transaction that makes them: nobody has to do anything before they are served.

A group whose nodes have not come yet gets its sites from the operator process, which looks for those without a place.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from wagtail_multihost.control.models import NodeGroup, Placement
from wagtail_multihost.control.placing.wishes import read_candidates, read_wishes
from wagtail_multihost.nodeapi.node_states import PLACED
from wagtail_multihost.nodeapi.rendezvous import choose_nodes

BATCH = 2000


def place_new_sites(created: Iterable[tuple[int, UUID]]) -> None:
    """Place sites that were just written, each with the revision of its creation: that event is theirs, too."""
    revisions = {uid: revision for revision, uid in created}
    if not revisions or not NodeGroup.objects.filter(holds=PLACED).exists():
        return
    candidates = read_candidates()
    Placement.objects.bulk_create(
        [
            Placement(node_id=node, site_id=wish.uid, revision=revisions[wish.uid], front_revision=revisions[wish.uid])
            for wish in read_wishes(revisions)
            for node in choose_nodes(wish.site, candidates.get(wish.group, ()), wish.replicas)
        ],
        batch_size=BATCH,
    )
