"""The HTTP API: one Falcon resource a module, and the pure functions they stand on."""
