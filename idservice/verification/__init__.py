"""One pure core that every checking office calls."""
