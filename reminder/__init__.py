"""期限だより: reminds people before a card or certificate stops working. It keeps dates, never numbers."""
