"""Independence Metropolis: candidates from one distribution, accepted by their importance ratios."""

from glmbayes.kernels.jit import jit


@jit
def independence_chain(log_ratio, log_u, state):
    """Index of the candidate that each step of the chain holds, into `state` (n,); returns the acceptances.

    `log_ratio` (n,) holds log target less log proposal of the candidates, the first of which starts the chain;
    `log_u` (n,) the logarithms of uniforms.
    """
    here = 0
    accepted = 0
    for i in range(log_ratio.shape[0]):
        if log_u[i] < log_ratio[i] - log_ratio[here]:
            accepted += here != i
            here = i
        state[i] = here
    return accepted
