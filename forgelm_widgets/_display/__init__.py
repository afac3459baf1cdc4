"""How the public results show themselves: each becomes a card, and a card has three faces."""

from forgelm_widgets._display._bundle import CARDS, bundle, card_of

__all__ = ["CARDS", "bundle", "card_of"]
