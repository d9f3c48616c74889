"""Numbers shared by several kernels."""

from __future__ import annotations

#: Median absolute value of the standard normal distribution; dividing a median absolute deviation by it estimates the
#: standard deviation.
MAD_OF_NORMAL = 0.6744897501960817

#: A channel of a white template is kept if its energy exceeds both this, in units of the noise variance, and this
#: fraction of the energy of the strongest channel.
ENERGY_MIN, ENERGY_FRACTION = 0.5, 0.002
