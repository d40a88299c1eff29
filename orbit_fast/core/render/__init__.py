"""What commands that look say: a module for each, from facts to finished lines, as text or JSON."""
