"""What can be shown to others: receipts, the register, checkpoints, and what checks them."""
