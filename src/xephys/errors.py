"""What can go wrong, by whose fault: the recording, a parameter, the place of the output, or a resource.

Every message names the value, the limit and the remedy. The command line turns the class into its exit status.
"""


class RecordingError(ValueError):
    """The recording cannot be used as it is: wrong dimensions, no probe, non-finite samples, too short."""


class SilentRecordingError(RecordingError):
    """Too few spikes to learn anything from."""


class ParameterError(ValueError):
    """A parameter, preset or name that does not exist, or a value outside its limits."""


class OutputError(OSError):
    """The result cannot be written where it was asked for."""


class ResourceError(RuntimeError):
    """Memory, disk or a worker gave out; what was finished is kept."""


class XephysWarning(UserWarning):
    """Something about the input is unusual, was worked around, and should be known."""
