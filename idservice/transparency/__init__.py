"""The log's office and its witnesses: append, sign, prove, cosign, check as an outsider."""
