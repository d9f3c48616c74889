"""Child processes of the tests."""

import signal


def hear_ctrl_c() -> None:
    """For ``preexec_fn``: a test run started in the background ignores SIGINT, and its children would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
