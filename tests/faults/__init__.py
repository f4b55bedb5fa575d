"""Nothing lost: the whole product as real processes, killed at moments that hurt, then held against its own books."""
