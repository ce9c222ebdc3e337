"""Formulas and data to design matrices, as R does it."""

from glmbayes.design.arrays import array_design
from glmbayes.design.build import build_design
from glmbayes.design.record import Design, NewDesign

__all__ = ["Design", "NewDesign", "array_design", "build_design"]
