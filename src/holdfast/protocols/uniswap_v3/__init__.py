"""Uniswap V3: swaps with a limit and a deadline, quotes, and the pools behind them."""
