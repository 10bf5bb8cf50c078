"""Everything live over one WebSocket (RFC 6455), at ``/ws``."""
