"""Formulas and data to design matrices, as R does it."""

from glmbayes.design.build import build_design
from glmbayes.design.record import Design, NewDesign

__all__ = ["Design", "NewDesign", "build_design"]
