"""The public names of dartsort's interface, under its own names."""

# Configuration.
from ..sorter.dartsort.parameters import DARTsortUserConfig as DARTsortUserConfig
from .config import read_config as read_config
from .config import write_config as write_config

# The main call and its data objects.
from .main import DARTsortReturn as DARTsortReturn
from .main import dartsort as dartsort
from .motion import MotionInfo as MotionInfo

# Denoising networks and their training.
from .networks import Decollider as Decollider
from .networks import SingleChannelWaveformDenoiser as SingleChannelWaveformDenoiser
from .sorting import DARTsortSorting as DARTsortSorting
from .training import train_decollider as train_decollider
from .training import train_single_channel as train_single_channel
