"""Claims in a clerk's hand become a credential; nothing stays."""
