"""Numbers that belong to no kernel alone."""

from __future__ import annotations

#: Median absolute value of the standard normal distribution; a median absolute deviation over it is a standard
#: deviation.
MAD_OF_NORMAL = 0.6744897501960817

#: A channel of a white template stays if its energy exceeds both this, in units of the noise variance, and this share
#: of the strongest channel's.
ENERGY_MIN, ENERGY_FRACTION = 0.5, 0.002
