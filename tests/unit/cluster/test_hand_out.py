"""Chunks handed out: whoever ends, each chunk is measured once, and only what ends its process is marked."""

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from embshift.core.errors import EncoderError, RunError, StorageError, UsageError
from embshift.measurement.cluster.hand_out import Actors, Event, hand_out
from embshift.measurement.cluster.items import Item


@dataclass
class World:
    """Actors that answer at once, one call a turn; what happens to them is given as functions."""

    deadly: frozenset = frozenset()  # rows whose views end the process that encodes them
    crashing: frozenset = frozenset()  # rows whose file ends the process that reads it
    kinds: dict = field(
        default_factory=dict
    )  # what becomes of the n-th actor when it first measures, or opens
    room: int = 99
    started: int = 0
    ended: list = field(default_factory=list)
    calls: dict = field(default_factory=dict)
    given: list = field(default_factory=list)
    most: int = 0
    now: float = 0.0
    answer: dict = field(default_factory=lambda: {"failed": 0, "float32": 0})

    def start(self):
        self.started += 1
        self.calls[self.started] = deque(["open"])
        return self.started

    def give(self, actor, item):
        self.calls[actor].append(item)
        self.given.append((actor, item))
        self.most = max(self.most, len(self.calls[actor]))

    def end(self, actor):
        self.ended.append(actor)
        del self.calls[actor]

    def wait(self, seconds):
        self.now += seconds
        running = list(self.calls)[: self.room]
        return [self.happen(actor) for actor in running if self.calls[actor]]

    def happen(self, actor):
        call = self.calls[actor].popleft()
        if call == "open":
            kind = self.kinds.get((actor, "open"), "opened")
            return Event(actor=actor, kind=kind, answer={"process": actor}, reason="it was open")
        kind = self.kinds.pop((actor, "measure"), None)
        rows = set(range(call.first, call.first + call.count)) - set(call.deadly)
        if kind is None and (rows & self.deadly or (rows & self.crashing and not call.isolated)):
            kind = "died"
        return Event(actor=actor, kind=kind or "done", answer={} if kind else self.answer, reason="a signal")


def chunks(count, size=8):
    return [Item(chunk=number, first=number * size, count=size) for number in range(count)]


def run(world, items, *, wanted=2):
    done, notes = [], []
    hand_out(
        items,
        world,
        wanted=wanted,
        done=lambda item, answer: done.append(item),
        note=notes.append,
        clock=lambda: world.now,
    )
    assert isinstance(world, Actors)
    assert sorted(item.chunk for item in done) == [item.chunk for item in items]
    return done, notes


def test_every_chunk_is_measured_once_by_all_and_two_wait_at_each():
    world = World()
    done, notes = run(world, chunks(20))
    assert {actor for actor, _ in world.given} == {1, 2}
    assert (world.most, world.started, world.ended, notes) == (2, 2, [], [])
    assert sorted(done, key=lambda item: item.chunk) == chunks(20)


def test_the_last_chunks_are_shared_out():
    world = World()
    run(world, chunks(4), wanted=4)
    assert sorted(actor for actor, _ in world.given) == [1, 2, 3, 4]


def test_nothing_waits_at_an_actor_that_has_no_room():
    world = World(room=1)
    _, notes = run(world, chunks(9))
    assert {actor for actor, _ in world.given} == {1}
    assert notes == []


def test_an_actor_that_ends_once_is_replaced_and_no_image_is_suspected():
    world = World(kinds={(1, "measure"): "died", (2, "measure"): "died"})
    done, notes = run(world, chunks(9))
    assert (world.started, world.ended) == (4, [1, 2])
    assert all(not item.deadly for item in done)
    assert not any(item.trial for _, item in world.given)
    assert len(notes) == 2
    assert "an actor has ended while it measured chunk 0: a signal" in notes[0]


def test_a_file_that_ends_its_process_is_left_to_a_worker():
    world = World(crashing=frozenset({5}))
    done, _ = run(world, chunks(3))
    assert [item.chunk for item in done if item.isolated] == [0]
    assert world.ended == [1]
    assert all(not item.deadly for item in done)


@pytest.mark.parametrize("deadly", [{13}, {8}, {15}, {8, 15}, {9, 10, 11}])
def test_only_images_that_end_their_process_twice_are_marked(deadly):
    world = World(deadly=frozenset(deadly))
    done, notes = run(world, chunks(4))
    assert {item.chunk: set(item.deadly) for item in done} == {0: set(), 1: deadly, 2: set(), 3: set()}
    trials = [item for _, item in world.given if item.trial]
    for row in deadly:
        assert sum(item.first == row and item.count == 1 for item in trials) >= 2
    assert all(item.chunk == 1 for item in trials)
    assert sum("recorded as worker_died" in note for note in notes) == len(deadly)


def test_a_chunk_of_one_image():
    done, _ = run(World(deadly=frozenset({1})), chunks(3, size=1))
    assert {item.chunk: item.deadly for item in done} == {0: (), 1: (1,), 2: ()}


def test_a_chunk_that_ends_actors_without_an_image_that_does_is_an_error():
    class Together(World):
        def happen(self, actor):
            if self.calls[actor][0] != "open" and self.calls[actor][0].count == 8:
                self.kinds[(actor, "measure")] = "died"
            return super().happen(actor)

    with pytest.raises(EncoderError, match="chunk 0 has ended three actors, and none of its images"):
        run(Together(), chunks(1))


@pytest.mark.parametrize("kind", ["node", "away", "memory"])
def test_an_end_that_no_image_explains_is_not_counted_against_one(kind):
    world = World(kinds={(number, "measure"): kind for number in (1, 2, 3)})
    done, _ = run(world, chunks(5), wanted=1)
    assert sorted(done, key=lambda item: item.chunk) == chunks(5)  # neither again nor isolated
    assert (world.started, world.ended) == (4, [1, 2, 3])


def test_after_a_failure_comes_a_pause_that_grows():
    world = World(kinds={(1, "open"): "died", (2, "open"): "away", (3, "open"): "died"})
    starts = []
    start = world.start
    world.start = lambda: (starts.append(world.now), start())[1]
    run(world, chunks(2), wanted=1)
    assert [later - sooner for sooner, later in pairwise(starts)] == [2.0, 3.0, 5.0]


def test_actors_that_cannot_start_again_and_again_are_an_error():
    world = World(kinds={(number, "open"): "died" for number in range(1, 9)})
    with pytest.raises(EncoderError, match=r"4 actors in a row have ended before .*: it was open"):
        run(world, chunks(2), wanted=1)
    assert world.started == 4


def test_ends_for_lack_of_memory_are_capped_by_our_own_count():
    world = World(kinds={(number, "measure"): "memory" for number in range(1, 99)})
    with pytest.raises(EncoderError, match=r"4 times because the memory of their machine .*fewer --actors"):
        run(world, chunks(2), wanted=1)
    assert world.started == 4


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ({"error": "no weights", "kind": "EncoderError", "where": "node-3"}, EncoderError, "no weights"),
        ({"error": "full", "kind": "StorageError", "where": "node-3"}, StorageError, "full"),
        ({"error": "not here", "kind": "RunError", "where": "node-3"}, RunError, "not here"),
        ({"error": "unknown", "kind": "UnknownNameError", "where": "node-3"}, UsageError, "unknown"),
        ({"defect": "Traceback …", "where": "node-3"}, RuntimeError, "Traceback"),
    ],
)
def test_an_error_of_an_actor_is_raised_once_in_its_own_words(answer, kind, text):
    with pytest.raises(kind, match=rf"{text}|node-3") as raised:
        run(World(answer=answer), chunks(4))
    assert text in str(raised.value)
    assert "node-3" in str(raised.value)


def test_the_user_is_told_when_no_actor_has_room():
    world = World(room=0)
    notes = []

    class Waited(Exception):
        pass

    def clock():
        if world.now > 200:
            raise Waited
        return world.now

    with pytest.raises(Waited):
        hand_out(chunks(2), world, wanted=1, done=lambda *_: None, note=notes.append, clock=clock)
    assert notes == ["no actor has started yet: waiting for room in the Ray cluster"]
