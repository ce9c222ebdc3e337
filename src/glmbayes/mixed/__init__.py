"""Mixed models: lme4's formulas, the sampler behind them, and what can be asked of a fit."""
