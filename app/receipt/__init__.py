"""The bidder's receipt: drawn (`drawing`), sealed (`sealing`) by the installation's certificate (`authority`)."""
