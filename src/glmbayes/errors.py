"""The library's exceptions: one root, and a class for each thing a user can react to."""


class GlmbayesError(Exception):
    """Root of every exception that glmbayes raises on purpose."""


class InputError(GlmbayesError, ValueError):
    """An argument is not what the call needs; the message names it, what was required and what was got."""


class FormulaError(InputError):
    """A formula, or the data that it names, cannot be turned into a design."""


class ImproperPosteriorError(InputError):
    """Prior and data together have no normalisable posterior; the message says which end diverges."""


class SamplerError(GlmbayesError, RuntimeError):
    """A sampler cannot go on: no reasonable method, or a cap was reached."""


class MissingDependencyError(GlmbayesError, ImportError):
    """An optional package is needed for this call."""
