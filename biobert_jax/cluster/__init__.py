"""How processes find each other, a lost or stuck one, and pre-emption."""
