"""The pages of the API reference, made from `__all__`: a new public name appears without an edit here.

A name finds its page by what it is (an exception, a prior, a function whose first argument is a formula, ...).
"""

import importlib
import inspect
from pathlib import Path

import glmbayes
from glmbayes.priors.sigma import SigmaPrior

# what calls return: not in `__all__`, since nobody builds them by hand, but their methods are the library's daily use
RESULTS = {
    "lmb": "glmbayes.fits.model.Fit",
    "glmb": "glmbayes.fits.glm.GLMFit",
    "lmerb": "glmbayes.mixed.fit.MixedFit",
    "glmerb": "glmbayes.mixed.glm_fit.GLMMixedFit",
    "rlmb": "glmbayes.rlmb.Draws",
    "rglmb": "glmbayes.rglmb.GLMDraws",
    "rlmb_blocks and rglmb_blocks": "glmbayes.rlmb_blocks.BlockDraws",
    "the sample method of a prior": "glmbayes.priors.base.PriorDraws",
}
PAGES = {
    "models": ("Models by formula", "Formula and data in, a fitted model out."),
    "arrays": ("Draws from arrays", "Arrays in, draws out: the blocks of your own Gibbs sampler."),
    "priors": ("Priors", "Frozen values that describe a distribution. Every one has `sample(n, rng)`."),
    "sd_priors": ("Priors on a standard deviation", "For residuals and for group effects."),
    "chains": ("Chains of your own", "Run a sampler of yours, and look at what it did."),
    "more": ("Set-up, comparison and more", "Everything else in `glmbayes`."),
    "data": ("Data sets", "`glmbayes.datasets`: small published data sets, with their sources."),
    "families": ("Families", "`glmbayes.families`: response distributions with their links."),
    "kernels": ("Kernels", ""),
    "errors": ("Errors", "Every error of the library is a `GlmbayesError`."),
}


def place(name, value):
    """The page of one public name of `glmbayes`; None for a module, which is a page itself or repeats names."""
    if inspect.ismodule(value):
        return None
    if inspect.isclass(value):
        if issubclass(value, Exception):
            return "errors"
        if issubclass(value, SigmaPrior):
            return "sd_priors"
    home = getattr(value, "__module__", "")
    if home.startswith("glmbayes.priors"):
        return "priors"
    if home.startswith("glmbayes.chains"):
        return "chains"
    first = next(iter(inspect.signature(value).parameters), "") if callable(value) else ""
    if first == "formula" and not name[0].isupper():
        return "models"
    return "arrays" if first == "n" else "more"


def public():
    """Page -> list of dotted names, everything public."""
    found = {page: [] for page in PAGES}
    for name in glmbayes.__all__:
        page = place(name, getattr(glmbayes, name))
        if page:
            found[page].append(f"glmbayes.{name}")
    found["data"] = ["glmbayes.datasets.names", "glmbayes.datasets.load"]
    found["families"] = [f"glmbayes.families.{name}" for name in glmbayes.families.__all__]
    found["kernels"] = [f"glmbayes.kernels.{name}" for name in glmbayes.kernels.__all__]
    return found


def fetch(dotted):
    """The object of a dotted name below a module."""
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def entry(dotted, members=False):
    """The directive that documents one name."""
    value = fetch(dotted)
    if not inspect.isclass(value):
        return f".. auto{'function' if callable(value) else 'data'}:: {dotted}\n"
    options = ""
    if members or "chains" in value.__module__:
        options = "   :members:\n   :inherited-members: tuple\n"
    elif issubclass(value, Exception) or issubclass(value, tuple):
        options = ""
    elif hasattr(value, "log_density"):
        options = "   :members: log_density, sample\n   :inherited-members:\n"
    return f".. autoclass:: {dotted}\n{options}"


def heading(text, line="="):
    return f"{text}\n{line * len(text)}\n"


def page(title, text, names):
    """The reStructuredText of one page: a table of its names, then each of them."""
    table = ".. autosummary::\n   :nosignatures:\n\n" + "".join(f"   ~{name}\n" for name in names)
    parts = [heading(title), text, table]
    parts += [entry(name) for name in names]
    return "\n".join(parts)


def results_page():
    parts = [heading("What calls return"), "The methods of a fit are most of what one uses.\n"]
    for call, name in RESULTS.items():
        parts += [heading(f"What {call} returns", "-"), entry(name, members=True)]
    return "\n".join(parts)


def pages():
    """File name -> text of every page of the reference."""
    found = {}
    for key, names in public().items():
        title, text = PAGES[key]
        if key == "kernels":
            text = inspect.getdoc(glmbayes.kernels) + "\n"
        found[key] = page(title, text + "\n", names)
    found["results"] = results_page()
    order = ["models", "results", *(key for key in found if key not in ("models", "results"))]
    found["index"] = (
        heading("Reference")
        + "\nEvery public name, from its docstring.\n\n.. toctree::\n   :maxdepth: 1\n\n"
        + "".join(f"   {key}\n" for key in order)
    )
    return found


def write(app):
    """Write the pages that changed, and remove those that are no more."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    found = pages()
    for file in folder.glob("*.rst"):
        if file.stem not in found:
            file.unlink()
    for name, text in found.items():
        file = folder / f"{name}.rst"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
