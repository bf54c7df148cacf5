"""Upkeep: is it working, and is it forgetting what it should?"""
