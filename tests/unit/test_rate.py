"""The time left is estimated from the recent rate, after a warm-up; no real clock is involved."""

import pytest

from embshift.cli.output.rate import Rate, format_left


def finish(rate, times):
    for now in times:
        rate.advance(now=now)


def test_the_start_counts_nowhere():
    """A minute of opening and ten images a second from then on."""
    rate = Rate()
    assert rate.measure(now=30.0) is None
    finish(rate, [60 + at / 10 for at in range(40)])
    assert rate.estimate_left(1000, now=64.0) is None  # still warming up
    finish(rate, [64 + at / 10 for at in range(60)])
    assert rate.measure(now=70.0) == pytest.approx(10, rel=0.1)
    assert rate.estimate_left(1000, now=70.0) == pytest.approx(100, rel=0.1)


def test_batches_give_the_rate_of_the_images():
    """Sixty-four at once, every twenty seconds: 3.2 a second, also between two batches."""
    rate = Rate()
    finish(rate, [20.0 + at / 1000 for at in range(64)])
    assert rate.measure(now=35.0) is None
    for batch in (40.0, 60.0, 80.0):
        finish(rate, [batch + at / 1000 for at in range(64)])
        assert rate.measure(now=batch + 0.1) == pytest.approx(3.2, rel=0.01)
        assert rate.measure(now=batch + 19.0) == pytest.approx(3.2, rel=0.01)


def test_a_change_of_speed_is_followed():
    rate = Rate()
    finish(rate, [at / 10 for at in range(3000)])
    finish(rate, [300 + at for at in range(40)])
    assert rate.measure(now=340.0) == pytest.approx(1, rel=0.1)


def test_standing_still_shows():
    rate = Rate()
    finish(rate, [at / 10 for at in range(1000)])
    assert rate.measure(now=100.0) == pytest.approx(10, rel=0.1)
    assert rate.measure(now=400.0) < 1.5


def test_it_takes_little_memory():
    rate = Rate()
    finish(rate, [at / 1000 for at in range(200_000)])
    assert rate.measure(now=200.0) == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "…"), (0.2, "0 s"), (45.4, "45 s"), (204, "3 min"), (5900, "98 min"), (12_600, "3.5 h")],
)
def test_the_time_left_is_short(seconds, text):
    assert format_left(seconds) == text
