"""What a reader of the register keeps, and how it goes on from there."""
