"""What others would write: honest, working, without tricks against them."""
