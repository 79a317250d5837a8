"""The page Prometheus reads."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mediaserver.policy import Role
from tests.mediaserver.peers import identity, make_server, publish


async def test_the_page_counts_and_names_nobody() -> None:
    server = make_server()
    await server.start()
    surgeon = server.join(identity(Role.SURGEON), "An Nguyen")
    await publish(server, surgeon)
    server.metrics.join_stage("dtls", 0.02)
    server.registry.data_channels_refused["rate"] += 3
    page, content_type = server.metrics.render("")
    await server.stop()
    text = page.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert content_type.startswith("text/plain")
    assert families["loupe_rooms"].samples[0].value == 1
    assert {s.labels["role"]: s.value for s in families["loupe_participants"].samples} == {"surgeon": 1}
    tracks = {(s.labels["direction"], s.labels["codec"]): s.value for s in families["loupe_tracks"].samples}
    assert tracks == {("in", "opus"): 1, ("in", "VP8"): 1}
    assert {s.labels["reason"] for s in families["loupe_rtp_packets_dropped"].samples} >= {
        "short",
        "srtp_replay",
    }
    refused = families["loupe_data_channel_messages_refused"].samples
    assert [(s.labels["reason"], s.value) for s in refused] == [("rate", 3)]
    assert {s.labels["direction"] for s in families["loupe_rtp_packets"].samples} == {"in", "out"}
    assert {"loupe_forward_delay_seconds", "loupe_event_loop_lag_seconds", "loupe_build_info"} <= set(
        families
    )
    stages = [s for s in families["loupe_join_duration_seconds"].samples if s.name.endswith("_count")]
    assert [(s.labels["stage"], s.value) for s in stages] == [("dtls", 1)]
    for hidden in ("An Nguyen", surgeon.id, "theatre-1"):
        assert hidden not in text
    assert all(family.documentation for family in families.values())


async def test_an_unknown_stage_is_refused() -> None:
    server = make_server()
    with pytest.raises(ValueError, match="lunch"):
        server.metrics.join_stage("lunch", 1.0)
    await server.stop()
