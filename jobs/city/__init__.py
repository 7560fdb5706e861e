"""The synthetic city of Chibi (赤壁市): deliveries as departments send them, with their truth."""

from jobs.city.generate import CityReport, generate

__all__ = ["CityReport", "generate"]
