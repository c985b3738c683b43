"""The queue's rules, against any sequence of events on a clock of the test's own."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from heart_operator.controllers.workqueue import LONGEST_BACKOFF, Schedule

KEYS = st.sampled_from(["a", "b", "c"])
SECONDS = st.floats(0, 100, allow_nan=False)


class AnyHistory(RuleBasedStateMachine):
    """Workers and events in any order; the model beside it knows only what a user may rely on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.schedule = Schedule[str](lambda: 0.5)
        self.running: set[str] = set()
        self.owed: set[str] = set()
        """Keys that something was said about and nobody has looked at since."""
        self.due: dict[str, float] = {}

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.schedule.add(key)
        self.owed.add(key)

    @rule(key=KEYS, seconds=SECONDS)
    def add_later(self, key: str, seconds: float) -> None:
        self.schedule.add_at(key, self.now + seconds)
        self.due[key] = min(self.due.get(key, float("inf")), self.now + seconds)

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def take(self) -> None:
        ripe = {key for key, when in self.due.items() if when <= self.now}
        self.owed |= ripe
        self.due = {key: when for key, when in self.due.items() if key not in ripe}
        key = self.schedule.take(self.now)
        if key is None:
            assert self.owed <= self.running, "a key that is owed work waits while nobody works on it"
            return
        assert key not in self.running, "two workers have the same key"
        assert key in self.owed, "work on a key that nobody asked for"
        self.running.add(key)
        self.owed.discard(key)
        self.due.pop(key, None)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.schedule.done(key)
        self.running.discard(key)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        delay = self.schedule.failed(key, self.now)
        assert 0 < delay <= LONGEST_BACKOFF
        self.running.discard(key)
        self.due[key] = min(self.due.get(key, float("inf")), self.now + delay)

    @invariant()
    def knows_when_to_wake(self) -> None:
        assert self.schedule.next_due() == min(self.due.values(), default=None)


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


@given(st.integers(1, 40))
def test_backoff_grows_and_is_bounded(failures: int) -> None:
    schedule = Schedule[str](lambda: 0.999)
    delays = []
    for _ in range(failures):
        schedule.add("a")
        assert schedule.take(1e9) == "a"
        delays.append(schedule.failed("a", 1e9))
    assert delays == sorted(delays)
    assert delays[0] <= 1
    assert delays[-1] <= LONGEST_BACKOFF


def test_success_forgets_the_failures() -> None:
    schedule = Schedule[str](lambda: 0.0)
    for _ in range(5):
        schedule.add("a")
        schedule.take(0)
        last = schedule.failed("a", 0)
    schedule.add("a")
    schedule.take(0)
    schedule.done("a")
    schedule.add("a")
    schedule.take(0)
    assert schedule.failed("a", 0) < last / 4


def test_jitter_spreads_retries() -> None:
    first, second = Schedule[str](lambda: 0.0), Schedule[str](lambda: 0.9)
    for schedule in (first, second):
        schedule.add("a")
        schedule.take(0)
    assert first.failed("a", 0) != second.failed("a", 0)
