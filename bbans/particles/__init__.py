"""Particle filters that sender and receiver both run, on public randomness."""

from bbans.particles.filter import ParticleFilter
from bbans.particles.model import ParticleModel
from bbans.particles.proposals import ProposalFilter

__all__ = ["ParticleFilter", "ParticleModel", "ProposalFilter"]
