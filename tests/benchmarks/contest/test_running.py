"""What a sorter's run tells of its end."""

from __future__ import annotations


def test_the_cause_of_a_failure_is_the_error_and_not_the_end_of_a_long_message(part):
    cause = part("contest.running")._cause
    long = "Traceback (most recent call last):\n  raise\nValueError: Found no spikes in [Model(\n  (out): Linear()\n)]."
    assert cause(long) == "ValueError: Found no spikes in [Model("
    assert cause("one\nended with status 9\n") == "ended with status 9"
