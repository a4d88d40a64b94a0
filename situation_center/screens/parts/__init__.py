"""What several screens share: shell, push, queue, card, map, plots."""
