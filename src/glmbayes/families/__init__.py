"""Response families: binomial, poisson, Gamma, gaussian, and quasi versions with a known dispersion."""

import difflib
import re

from glmbayes.errors import InputError
from glmbayes.families.base import Family
from glmbayes.families.binomial import binomial, quasibinomial
from glmbayes.families.gamma import gamma
from glmbayes.families.gaussian import gaussian
from glmbayes.families.poisson import poisson, quasipoisson

_FACTORIES = {
    "binomial": binomial,
    "poisson": poisson,
    "gamma": gamma,
    "gaussian": gaussian,
    "quasibinomial": quasibinomial,
    "quasipoisson": quasipoisson,
}
_SPELLED = re.compile(r"""\s*(\w+)\s*\(\s*(?:link\s*=\s*)?["']?(\w*)["']?\s*\)\s*""")  # as R prints or spells it


def get(family, link=None):
    """The family object for a name, a factory or a family object.

    Parameters
    ----------
    family : str, callable or Family
        "binomial", "poisson", "Gamma", "gaussian", "quasibinomial", "quasipoisson" (any case), with a link as in
        "binomial(probit)" or "binomial(link='probit')"; or one of the functions of those names; or their result.
        "binomial(identity)", "poisson(identity)" and "Gamma(inverse)" are models of a single mean, for conjugate
        priors.
    link : str, optional
        Only with a name or a function.

    Examples
    --------
    >>> from glmbayes import families
    >>> str(families.get("binomial", link="probit"))
    'binomial(probit)'
    >>> families.get("poisson(identity)").linkinv(3.0)
    array(3.)
    """
    if isinstance(family, Family):
        if link is not None and link != family.link:
            raise InputError(f"link={link!r} contradicts family {family}; give the link once")
        return family
    factory = family
    if isinstance(family, str):
        spelled = _SPELLED.fullmatch(family)
        if spelled:
            family, inside = spelled.groups()
            if link is not None and inside not in ("", link):
                raise InputError(f"link={link!r} contradicts family '{family}({inside})'; give the link once")
            link = inside or link
        factory = _FACTORIES.get(family.lower())
        if factory is None:
            near = difflib.get_close_matches(family.lower(), _FACTORIES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"family must be one of {', '.join(_FACTORIES)}; got {family!r}{hint}")
    if not any(factory is one for one in _FACTORIES.values()):
        raise InputError(f"family must be a name such as 'binomial' or an object such as binomial(); got {family!r}")
    return factory() if link is None else factory(link)


__all__ = ["Family", "binomial", "gamma", "gaussian", "get", "poisson", "quasibinomial", "quasipoisson"]
