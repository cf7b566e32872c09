"""The register: proposals, comments, answers, approvals, and what is in force."""
