"""The trust report: long checks of everything the library claims, and the page that shows their figures.

``make trust`` runs it (``LEVEL=small`` in seconds to a minute, ``medium`` in minutes, ``full`` within the hour). The
short checks of every change are in ``tests/``; this package runs the same kinds of check with more replications and
writes down what came out. Data sets that are hard on purpose are shared with the tests.
"""
