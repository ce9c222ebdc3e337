"""The family that default priors are asked for, conjugate identity links included."""

import re
from typing import NamedTuple

from glmbayes import families
from glmbayes.families import Family

_CONJUGATE = ("poisson", "binomial")


class NamedFamily(NamedTuple):
    """A family by name and link.

    Attributes
    ----------
    name, link : str
    object : Family
        Of that link; for the conjugate identity links, of the default one.
    """

    name: str
    link: str
    object: Family

    @property
    def quasi(self):
        """Whether the likelihood is divided by a known dispersion."""
        return self.object.quasi

    @property
    def free(self):
        """Whether there is a dispersion other than 1."""
        return self.object.quasi or self.object.has_dispersion


def resolve_family(family):
    """A NamedFamily from a name ("poisson", "binomial(probit)", "poisson(identity)"), a function or a Family."""
    link = None
    if isinstance(family, str):
        spelled = re.fullmatch(r"\s*(\w+)\s*\(\s*(\w+)\s*\)\s*", family)
        if spelled:
            family, link = spelled.groups()
    if getattr(family, "link", link) == "identity":
        name = getattr(family, "name", family).lower()
        if name in _CONJUGATE:
            return NamedFamily(name, "identity", families.get(name))
    found = families.get(family, link)
    return NamedFamily(found.name, found.link, found)
