"""What a credential must be for the wallet to keep it, in every format."""
