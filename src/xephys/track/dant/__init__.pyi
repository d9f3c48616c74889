"""The public names of density-based tracking; each under its own name and under that of pyDANT where it has one."""

# Clusters of units, from similarities.
from .clusters import cluster_similarities as cluster_similarities
from .features import preprocess as preprocess
from .features import spikeLocation as spikeLocation

# Functions of pyDANT, under its names and with its parameters.
from .functions import computeAutoCorr as computeAutoCorr
from .functions import computeKernel2D as computeKernel2D
from .functions import corrcoef2 as corrcoef2
from .functions import getNearbyPairs as getNearbyPairs
from .functions import graphEditNumber as graphEditNumber
from .functions import waveformEstimation as waveformEstimation
from .motion import Motion as Motion
from .registration import computeMotion as computeMotion
from .registration import computeWaveformFeatures as computeWaveformFeatures
from .registration import initializeMotion as initializeMotion
from .registration import motionEstimation as motionEstimation
from .runner import runDANT as runDANT
from .settings import getMotionFeatureSets as getMotionFeatureSets
from .settings import read_settings as read_settings
from .shanks import merge_multishank_outputs as merge_multishank_outputs
from .shanks import runDANTMultiShank as runDANTMultiShank
from .spike_info import spikeInfo2npy as spikeInfo2npy
from .stages import autoCuration as autoCuration
from .stages import computeAllSimilarityMatrix as computeAllSimilarityMatrix
from .stages import computeWaveformSimilarityMatrix as computeWaveformSimilarityMatrix
from .stages import finalClustering as finalClustering
from .stages import iterativeClustering as iterativeClustering
