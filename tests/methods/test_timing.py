"""Stages of a method, for whoever records them."""

from __future__ import annotations

import threading
import time

import pytest

from faceloom.methods.timing import NetworkCall, is_recording, recording, stage


def call(pictures: int, **more: object) -> NetworkCall:
    return NetworkCall(pictures, "cpu", "float32", lambda: None, **more)  # type: ignore[arg-type]


def test_a_stage_is_timed_and_counted() -> None:
    with recording() as stages:
        for _ in range(3):
            with stage("wait"):
                time.sleep(0.01)
    assert stages["wait"].calls == 3 and stages["wait"].seconds >= 0.03


def test_nothing_is_kept_when_nobody_records() -> None:
    with stage("before"):
        assert not is_recording()
    with recording() as stages:
        assert is_recording()
    with stage("after"):
        assert not is_recording()
    assert stages == {}


def test_other_threads_are_not_listened_to() -> None:
    heard = []

    def elsewhere() -> None:
        with stage("elsewhere"):
            heard.append(is_recording())

    with recording() as stages:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert heard == [False] and stages == {}


def test_a_decorated_function_is_a_stage_each_time() -> None:
    @stage("double")
    def double(x: int) -> int:
        return 2 * x

    assert double(2) == 4
    with recording() as stages:
        assert [double(1), double(2)] == [2, 4]
    assert stages["double"].calls == 2


def test_pictures_of_a_network_add_up_and_its_first_call_is_kept() -> None:
    first, second = call(0), call(5)
    with recording() as stages:
        with stage("net", first):
            first.pictures += 3
        with stage("net", second):
            pass
    assert stages["net"].pictures == 8 and stages["net"].example is first


def test_what_a_method_adds_to_a_network_is_not_the_networks_time() -> None:
    with recording() as stages, stage("invert"), stage("net", call(1)):
        time.sleep(0.01)
        with stage("added"):
            time.sleep(0.05)
    assert stages["added"].seconds >= 0.05 and stages["net"].seconds >= 0.01
    assert stages["invert"].seconds >= stages["net"].seconds + stages["added"].seconds


def test_a_device_is_waited_for_before_and_after() -> None:
    waited: list[str] = []
    with recording(), stage("net", call(1, wait=lambda: waited.append("wait"))):
        waited.append("work")
    assert waited == ["wait", "work", "wait"]
    with stage("net", call(1, wait=lambda: waited.append("wait"))):
        pass
    assert len(waited) == 3  # nobody records: nobody waits


def test_a_stage_that_fails_ends_all_the_same() -> None:
    with recording() as stages:
        with pytest.raises(ZeroDivisionError), stage("net", call(1)):
            raise ZeroDivisionError
        with stage("later"):
            time.sleep(0.01)
    assert stages["net"].calls == 1 and stages["net"].seconds >= 0
    assert stages["later"].calls == 1


def test_recordings_lie_within_each_other() -> None:
    with recording() as outer:
        with recording() as inner, stage("a"):
            pass
        with stage("b"):
            pass
    assert set(inner) == {"a"} and set(outer) == {"b"}
