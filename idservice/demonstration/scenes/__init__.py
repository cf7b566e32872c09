"""What is played in the demonstration, one module a scene."""
