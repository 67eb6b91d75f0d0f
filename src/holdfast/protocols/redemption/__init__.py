"""The redemption desk: tokens in, the queue's delay, cash out at par less a fee."""
