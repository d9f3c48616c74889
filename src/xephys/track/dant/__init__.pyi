"""The public names of density-based tracking; each under its own name and under that of pyDANT where it has one."""

# Clusters of units, from similarities.
from .clusters import cluster_similarities as cluster_similarities

# Functions of pyDANT, under its names and with its parameters.
from .functions import computeAutoCorr as computeAutoCorr
from .functions import computeKernel2D as computeKernel2D
from .functions import corrcoef2 as corrcoef2
from .functions import getNearbyPairs as getNearbyPairs
from .functions import graphEditNumber as graphEditNumber
from .functions import waveformEstimation as waveformEstimation
from .motion import Motion as Motion
