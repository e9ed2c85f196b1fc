"""reload_canary: a new generation that is worse than the old one is taken back."""

import os
import signal

from harness import processes
from harness.background import Load, Task
from harness.control import ask
from harness.fixtures import both_users
from harness.program import environment_for_signals, muster_only
from harness.waiting import wait_until

pytestmark = muster_only

LONG = {"reload_canary": "60s"}


def pool_of(daemon, name="www"):
    pools = ask(daemon, "status")["result"]["pools"]
    return next(pool for pool in pools if pool["name"] == name)


def restart(daemon, *pools):
    """In the background, and the new generation is on trial when this returns."""
    before = {pool: pool_of(daemon, pool)["manager"] for pool in pools}
    task = Task(ask, daemon, "restart", pools=list(pools))
    for pool in pools:
        wait_until(
            lambda pool=pool: pool_of(daemon, pool)["state"] == "canary",
            lambda pool=pool: f"the trial of {pool}: {pool_of(daemon, pool)}\n{daemon.log.text()}",
        )
    return before, task


def environment(arena):
    return arena.script("env.php", "<?php echo getenv('COLOUR');")


@both_users
def test_a_generation_that_is_sound_stays(arena, daemon):
    daemon.configure({"www": {"env[COLOUR]": "red"}}, {"reload_canary": "1s"}).start()
    old = daemon.managers()["www"]
    daemon.configure({"www": {"env[COLOUR]": "blue"}}, {"reload_canary": "1s"})
    answer = ask(daemon, "reload")
    assert answer["ok"] and answer["result"]["pools"] == {"www": "renewed"}
    assert daemon.log.find("the new generation has stood its first 1 seconds")
    assert daemon.get(environment(arena)).text == "blue"
    wait_until(lambda: not processes.is_alive(old), "the old manager goes")
    assert pool_of(daemon)["state"] == "serving"


@both_users
def test_dying_workers_bring_the_old_generation_back(arena, daemon):
    """With the settings, and the manager, of before; no request is refused."""
    path = environment(arena)
    daemon.allow_log("exited on signal 11", "taken back", "could not be renewed")
    pools = {"pm.max_children": "2"}
    daemon.configure({"www": {"env[COLOUR]": "red", **pools}, "other": {}}, LONG)
    daemon.start(env=environment_for_signals())
    old, other = daemon.managers()["www"], daemon.wait_workers(1, "other")
    daemon.configure({"www": {"env[COLOUR]": "blue", **pools}, "other": {}}, LONG)

    def colour():
        text = daemon.get(path).text
        return None if text in ("red", "blue") else repr(text)

    reload = Task(ask, daemon, "reload")
    wait_until(lambda: pool_of(daemon)["state"] == "canary", "the trial")
    # An old worker may take a last request in the instant of the change.
    wait_until(lambda: daemon.get(path).text == "blue", "the new generation serves")
    assert [entry["manager"] for entry in pool_of(daemon)["leaving"]] == [old]
    for _ in range(2):
        # Idle ones: their deaths cost nobody a request.
        victim = next(iter(daemon.wait_workers(2)))
        os.kill(victim, signal.SIGSEGV)
        daemon.log.wait_for(rf"child {victim} exited on signal 11")
    with Load(colour, clients=2) as load:
        answer = reload.result()
        load.wait_for_more(20)
    load.assert_no_failures()
    assert not answer["ok"]
    what = answer["result"]["pools"]["www"]
    assert what.startswith("failed: taken back after ") and what.endswith("2 of its workers died")
    wait_until(lambda: daemon.managers()["www"] == old, "the old manager serves again")
    assert daemon.get(path).text == "red"
    assert pool_of(daemon)["state"] == "serving"
    wait_until(lambda: len(daemon.workers()) == 2, "the new generation goes")
    assert daemon.wait_workers(1, "other") == other


def test_a_manager_that_dies_brings_the_old_generation_back(arena, daemon):
    daemon.allow_log("manager .* exited on signal 9", "taken back", "could not be renewed")
    daemon.configure(globals_=LONG).start()
    before, task = restart(daemon, "www")
    processes.kill_hard(pool_of(daemon)["manager"])
    answer = task.result()
    assert not answer["ok"] and "its manager exited" in answer["result"]["pools"]["www"]
    assert pool_of(daemon)["manager"] == before["www"]
    daemon.assert_serves()


def test_failing_requests_bring_the_old_generation_back(arena, daemon):
    path = arena.script(
        "judge.php", "<?php http_response_code(getenv('CODE') == '500' ? 500 : 200); echo 'said';"
    )
    daemon.allow_log("taken back", "could not be renewed")
    daemon.configure({"www": {"env[CODE]": "200"}}, LONG).start()
    for _ in range(3):
        assert daemon.get(path).text == "said"
    daemon.configure({"www": {"env[CODE]": "500"}}, LONG)
    reload = Task(ask, daemon, "reload")
    wait_until(lambda: pool_of(daemon)["state"] == "canary", "the trial")
    sent = 3

    def failed_enough():
        nonlocal sent
        sent += 1
        assert daemon.get(path).text == "said"
        return pool_of(daemon)["state"] != "canary"

    wait_until(failed_enough, "it is taken back")
    answer = reload.result()
    assert not answer["ok"] and "% of its requests failed" in answer["result"]["pools"]["www"]
    assert daemon.get(path).status in (None, 200)
    wait_until(
        lambda: pool_of(daemon)["accepted_conn"] == sent + 1,
        lambda: f"each of {sent + 1} requests is counted once: {pool_of(daemon)}",
    )


def test_orders_meanwhile_wait_for_the_verdict(arena, daemon):
    daemon.configure(globals_={"reload_canary": "1s"}).start()
    _, first = restart(daemon, "www")
    second = Task(ask, daemon, "restart", pools=["www"])
    assert first.result()["ok"] and second.result()["ok"]
    assert len(daemon.log.find("has stood its first")) == 2
    wait_until(lambda: len(daemon.workers()) == 1, "one generation is left")


def test_a_request_of_the_old_generation_finishes_meanwhile(arena, daemon):
    daemon.configure(globals_={**LONG, "process_control_timeout": "60s"}).start()
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    _, task = restart(daemon, "www")
    daemon.assert_serves()
    gate.open()
    assert request.result().text == "through the gate"
    wait_until(lambda: len(daemon.workers()) == 1, "its worker leaves, its manager stays")
    assert len(pool_of(daemon)["leaving"]) == 1
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit() == 0, "a stop does not wait for the verdict"
    assert task.result()["error"] == "the service is stopping"


def test_when_nothing_is_left_to_go_back_to(daemon):
    daemon.configure(globals_=LONG).start()
    daemon.allow_log("there is no way back")
    before, task = restart(daemon, "www")
    processes.kill_hard(before["www"])
    assert task.result()["ok"]
    assert daemon.log.find("there is no way back from the new one")
    daemon.assert_serves()


def test_stop_at_once_during_a_trial(daemon):
    daemon.configure(globals_=LONG).start()
    _, task = restart(daemon, "www")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert task.result()["error"] == "the service is stopping"
