"""Pools that come, go, get another name or another address, while requests go on."""

import os

from harness.program import muster_only
from harness.waiting import wait_until
from load import LONG

CHANGES = 100 if LONG else 3


def reload_to(stage, pools):
    stage.daemon.configure(pools)
    stage.daemon.reload(60)


@muster_only
def test_pools_are_added_and_removed(stage):
    stage.daemon.compare_descriptors = False
    stage.start()
    two = stage.pools()
    with stage.load() as load:
        for number in range(CHANGES):
            name = f"extra{number}"
            reload_to(stage, {**two, name: {}})
            stage.daemon.assert_serves(name)
            address = stage.daemon.address(name)
            reload_to(stage, two)
            wait_until(lambda gone=address: not os.path.exists(gone), "its socket is gone")
    stage.verdict(f"{CHANGES} pools added and removed", load)
@muster_only
def test_pools_change_names_on_their_sockets(stage):
    """Another pool takes over a socket: what is under way there, and waits there, is answered."""
    stage.daemon.compare_descriptors = False
    stage.start()
    unix, tcp = stage.daemon.address("unix"), stage.daemon.address("tcp")
    pool = stage.pools()["unix"]
    with stage.load() as load:
        for number in range(CHANGES):
            reload_to(
                stage,
                {f"u{number}": {**pool, "listen": unix}, f"t{number}": {**pool, "listen": tcp}},
            )
            load.wait_for_more(10)
        names = list(stage.daemon.pools)
    stage.verdict(f"two pools renamed {CHANGES} times", load)
    assert set(stage.daemon.managers()) == set(names)
