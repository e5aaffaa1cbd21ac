"""The agent's link, host side: a byte channel, streams over it, and the Box they amount to."""
