"""Small commands for people who run or develop this repository."""
