"""What can be shown to others: receipts, register, checkpoints, and what checks them."""
