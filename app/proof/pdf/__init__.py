"""Pages of receipts and of persons' copies, drawn in the fonts beside."""
