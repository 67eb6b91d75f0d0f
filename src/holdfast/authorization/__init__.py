"""Who may let a plan run: approvals bound to the plan's hash."""
