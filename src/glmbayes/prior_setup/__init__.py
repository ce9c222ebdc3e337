"""Default priors centred on a null model and weighted against the data (Zellner's g-prior, calibrated)."""

from glmbayes.prior_setup.record import PriorSettings, PriorSetup
from glmbayes.prior_setup.setup import Prior_Setup, prior_setup_from_design

__all__ = ["PriorSettings", "PriorSetup", "Prior_Setup", "prior_setup_from_design"]
