"""Particle filters that sender and receiver both run, on public randomness."""

from bbans.particles.filter import ParticleFilter

__all__ = ["ParticleFilter"]
