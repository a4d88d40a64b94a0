"""Data files of the house: SQL, city services, message schemas. No logic; read by citynet.db and citynet.catalog."""

from pathlib import Path

ROOT = Path(__file__).parent
