from math import *
from vectors import *
from helpers import *
from torch import *
from vectors import dot
