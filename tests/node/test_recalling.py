"""What commands beside the agent find in the state that it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.node.reading import Known
from wagtail_multihost.node.recalling import recall_state
from wagtail_multihost.node.state_file import State, keep_state
from wagtail_multihost.nodeapi.node_states import ALL, FRONT


def test_nothing_of_a_site_is_compared_or_changed_on_a_front_server(tmp_path: Path) -> None:
    """It would get the files of a machine that sites run on."""
    for holds in (ALL, FRONT):
        keep_state(tmp_path, "u", State(Known("i", 1, 0, {"id": "web1", "holds": holds}, {}, {})))
        if holds == ALL:
            assert recall_state(tmp_path, "u").known.revision == 1
            continue
        with pytest.raises(ConfigurationError, match="This node is a front server"):
            recall_state(tmp_path, "u")
