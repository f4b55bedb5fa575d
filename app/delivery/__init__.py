"""What is owed, claimed, sent and tried again: mails, receipts, webhook calls."""
