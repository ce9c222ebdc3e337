"""Fixed quadrature nodes that several kernels share."""

# Gauss-Jacobi, seven points on [0, 1], weight 1 - s: the sum of w f(s) is the integral of (1 - s) f(s).
# A second-order Taylor remainder is v^2 times that integral of the second derivative, free of cancellation.
TAYLOR_NODES = (
    0.0224793864387125,
    0.11467905316090415,
    0.2657898227845895,
    0.45284637366944464,
    0.6473752828868303,
    0.8197593082631076,
    0.9437374394630779,
)
TAYLOR_WEIGHTS = (
    0.055967363423490867,
    0.1105092581908744,
    0.12739089729958852,
    0.10712506569587381,
    0.06638469646549157,
    0.027408356721873486,
    0.005214362202807391,
)
