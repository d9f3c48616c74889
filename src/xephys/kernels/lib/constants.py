"""Numbers that belong to no kernel alone."""

from __future__ import annotations

#: Median absolute value of the standard normal distribution; a median absolute deviation over it is a standard
#: deviation.
MAD_OF_NORMAL = 0.6744897501960817
