"""What every server of ours is: its edge, its limits, its logs, its secrets, and how it starts and stops."""
