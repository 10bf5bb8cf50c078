"""The parts of delivery: connections, what they follow, and the dispatcher that serves them."""
